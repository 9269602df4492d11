'use strict';

// Writes lib/wording.json: what the API's description says about everything that the steps show. The integration is
// pushed on its own and cannot read ../openapi there; and what is not typed twice cannot be said in two ways.

const fs = require('node:fs');
const path = require('node:path');

const DESCRIPTION = path.join(__dirname, '../../openapi/openapi.json');
// Whose action takes a reason; it is in the event when one was given.
const WITH_REASON = new Set(['points.changed', 'tier.changed', 'pass.revoked', 'pass.reinstated']);
const WORDING = path.join(__dirname, '../lib/wording.json');

/** Extracts the wording from the API's OpenAPI document. */
function wording(document) {
  const schemas = document.components.schemas;
  const follow = (schema) => (schema.$ref ? schemas[schema.$ref.split('/').pop()] : schema);
  const inputOf = (operation) => follow(operation.requestBody.content['application/json'].schema);
  const actions = {};
  for (const [route, { post }] of Object.entries(document.paths)) {
    if (/^\/v1\/actions\/[^/]+$/.test(route)) {
      const answer = answerOf(post);
      actions[post.operationId] = {
        path: route,
        description: firstSentence(post.description),
        input: fields(inputOf(post)),
        output: fields(follow(answer.schema)),
        sample: always(answer.example),
      };
    }
  }
  const page = answerOf(document.paths['/v1/passes'].get);
  return {
    actions,
    find: finding(document.paths, actions),
    pass: { output: fields(schemas.PassAnswer), sample: always(page.example.data[0]) },
    triggers: triggers(document, actions, schemas),
  };
}

/**
 * What a trigger gives: the event, and the pass flat beside it. Each type of event has a sample in the description; what
 * it has beyond the pass is worded as in the action that tells it.
 */
function triggers(document, actions, schemas) {
  const { data, ...envelope } = fields(schemas.EventAnswer);
  const { id: passId, ...pass } = fields(schemas.PassAnswer);
  const told = Object.assign({}, ...Object.values(actions).map((action) => action.output));
  const { reason } = actions.revoke_pass.input;
  const types = answerOf(document.paths['/v1/event-types'].get).example.data;
  return {
    program_id: fields(schemas.HookInput).program_id,
    types: Object.fromEntries(
      types
        .filter(({ sample }) => 'pass_url' in sample.data)
        .map(({ type, title, sample }) => {
          const extras = Object.keys(sample.data).filter((key) => key !== 'id' && !(key in pass));
          const output = {
            ...envelope,
            ...pass,
            ...Object.fromEntries(extras.map((key) => [key, told[key]])),
            pass_id: passId,
          };
          const words = { ...output, ...(WITH_REASON.has(type) && { reason }), operation_id: envelope.operation_id };
          return [type, { title, output: words, sample: { ...sample, data: always(sample.data) } }];
        }),
    ),
  };
}

/** What a pass can be found by: its ID, or some of the filters of the list of passes. */
function finding(paths, actions) {
  const [id] = paths['/v1/passes/{pass_id}'].parameters;
  const said = { pass_id: field(actions.redeem_pass.input.pass_id.title, id.description, id.schema) };
  for (const { name, description, schema } of paths['/v1/passes'].get.parameters) {
    if (['program_id', 'external_id', 'email'].includes(name)) {
      said[name] = field(schema.title, description, schema);
    }
  }
  return said;
}

function answerOf(operation) {
  return Object.values(operation.responses)[0].content['application/json'];
}

function fields(schema) {
  const required = new Set(schema.required);
  const said = Object.entries(schema.properties).map(([key, one]) => [
    key,
    { ...field(one.title, one.description, one), ...(required.has(key) && { required: true }) },
  ]);
  return Object.fromEntries(said);
}

function field(title, description, schema) {
  const types = [schema.type].flat();
  return {
    title,
    description,
    type: schema.format === 'date-time' ? 'datetime' : types[0],
    ...(types.includes('null') && { nullable: true }),
    ...(schema.enum && { choices: schema.enum }),
    ...('default' in schema && { default: String(schema.default) }),
    ...(schema['x-advanced'] && { advanced: true }),
    ...(schema.examples && { example: schema.examples[0] }),
  };
}

/** A sample holds only what every answer has; which custom fields there are is up to each program. */
function always(example) {
  return 'fields' in example ? { ...example, fields: {} } : example;
}

function firstSentence(text) {
  return text.split(/(?<=\.)\s/)[0];
}

/** Returns the file's text as it should be. */
function fresh() {
  return `${JSON.stringify(wording(JSON.parse(fs.readFileSync(DESCRIPTION, 'utf8'))), null, 1)}\n`;
}

module.exports = { WORDING, fresh };

if (require.main === module) {
  fs.writeFileSync(WORDING, fresh());
}
