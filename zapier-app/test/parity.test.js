'use strict';

// Held against the API's description itself, not against the wording that was made from it.

const assert = require('node:assert/strict');
const { test } = require('node:test');

const api = require('../../openapi/openapi.json');
const { definition } = require('./support');

// What the API has and the app has not, or has in another form; and the other way round.
const NOT_HERE = {
  'action create_pass_batch': 'a Zap handles one thing at a time',
  'action update_pass_batch': 'a Zap handles one thing at a time',
  'action update_points_batch': 'a Zap handles one thing at a time',
  'action change_tier_batch': 'a Zap handles one thing at a time',
  'action redeem_pass_batch': 'a Zap handles one thing at a time',
  'action revoke_pass_batch': 'a Zap handles one thing at a time',
  'action reinstate_pass_batch': 'a Zap handles one thing at a time',
  'create_pass input fields': 'each custom field of the chosen program is a field of its own',
  'update_pass input fields': 'each custom field of the chosen program is a field of its own',
  'event pass.updated': 'says too little by itself: Zapier advises against triggers for any change',
  'event pass.reinstated': 'rare; the action before it is the place to go on from',
  'event hook.disabled': 'about a hook, not about a pass',
};
const ONLY_HERE = {
  'action api_request': 'any request of the API',
  'revoke_pass input permanent_warning': 'a text that is shown, not an input',
  'reinstate_pass input fields_to_clear': 'stands for null, which cannot be typed',
};

const schemaOf = (content) => api.components.schemas[content['application/json'].schema.$ref.split('/').pop()];
const actions = Object.entries(api.paths)
  .filter(([path]) => path.startsWith('/v1/actions/'))
  .map(([, { post }]) => post);

/** Compares the app with the API: what only one of them has, and what they say differently. */
function differences(app) {
  const events = new Set(api.components.schemas.EventAnswer.properties.type.enum);
  const both = (kind, here, there) => ({
    missing: [...there].filter((key) => !here.has(key)).map((key) => `${kind} ${key}`),
    extra: [...here].filter((key) => !there.has(key)).map((key) => `${kind} ${key}`),
  });
  const compared = [
    both('action', new Set(Object.keys(app.creates)), new Set(actions.map(({ operationId }) => operationId))),
    both(
      'event',
      new Set(
        Object.keys(app.triggers)
          .filter((key) => !key.endsWith('_list'))
          .map((key) => key.replace('_', '.')),
      ),
      events,
    ),
  ];
  const said = [];
  for (const { operationId, requestBody, responses } of actions.filter(({ operationId: id }) => app.creates[id])) {
    const { inputFields, outputFields } = app.creates[operationId].operation;
    const inputs = new Map(inputFields.filter((field) => field.key).map((field) => [field.key, field]));
    const outputs = new Map(outputFields.map((field) => [field.key, field]));
    const input = schemaOf(requestBody.content);
    const output = schemaOf(responses['200'].content);
    compared.push(both(`${operationId} input`, new Set(inputs.keys()), new Set(Object.keys(input.properties))));
    for (const [key, { title, description, enum: choices }] of Object.entries(input.properties)) {
      const field = inputs.get(key);
      if (field) {
        const required = (input.required ?? []).includes(key);
        said.push([
          `${operationId} ${key}`,
          [field.label, field.helpText, Boolean(field.required)],
          [title, description, required],
        ]);
        said.push([`${operationId} ${key} choices`, field.choices?.map(({ value }) => value), choices]);
      }
    }
    for (const [key, { title, type }] of Object.entries(output.properties)) {
      said.push([`${operationId} output ${key}`, outputs.get(key)?.label, type === 'object' ? undefined : title]);
    }
  }
  return {
    missing: compared.flatMap(({ missing }) => missing).sort(),
    extra: compared.flatMap(({ extra }) => extra).sort(),
    differs: said.filter(([, here, there]) => JSON.stringify(here) !== JSON.stringify(there)).map(([what]) => what),
  };
}

test('every action, field and event of the API is here, or there is a reason', async () => {
  assert.deepEqual(differences(await definition()).missing, Object.keys(NOT_HERE).sort());
});

test('nothing is here that the API has not, or there is a reason', async () => {
  assert.deepEqual(differences(await definition()).extra, Object.keys(ONLY_HERE).sort());
});

test('labels, help texts, choices and what is required agree', async () => {
  assert.deepEqual(differences(await definition()).differs, []);
});

test('the names of triggers are those of the types of event', async () => {
  const { triggers } = await definition();
  const types = api.paths['/v1/event-types'].get.responses['200'].content['application/json'].example.data;
  const titles = Object.fromEntries(types.map(({ type, title }) => [type.replace('.', '_'), title]));
  for (const { key, display } of Object.values(triggers).filter((trigger) => !trigger.display.hidden)) {
    assert.equal(display.label, titles[key]);
  }
});

test('what is missing or said differently is found', async () => {
  const app = await definition();
  delete app.creates.redeem_pass;
  delete app.triggers.pass_expired;
  const { inputFields, outputFields } = app.creates.update_points.operation;
  inputFields.find(({ key }) => key === 'points').helpText = 'How many.';
  inputFields.find(({ key }) => key === 'change').required = false;
  inputFields.find(({ key }) => key === 'change').choices.pop();
  inputFields.find(({ key }) => key === 'reason').key = 'why';
  outputFields.find(({ key }) => key === 'points_before').label = 'Before';
  const found = differences(app);
  assert.deepEqual(
    found.missing.filter((what) => !NOT_HERE[what]),
    ['action redeem_pass', 'event pass.expired', 'update_points input reason'],
  );
  assert.deepEqual(
    found.extra.filter((what) => !ONLY_HERE[what]),
    ['update_points input why'],
  );
  assert.deepEqual(found.differs, [
    'update_points change',
    'update_points change choices',
    'update_points points',
    'update_points output points_before',
  ]);
});
