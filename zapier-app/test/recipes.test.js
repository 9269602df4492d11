'use strict';

const assert = require('node:assert/strict');
const { readFileSync, readdirSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const api = require('../../openapi/openapi.json');
const { DOCS, numbered, pages, recipes, stepOf } = require('../scripts/recipes');

/** What is wrong with a recipe, held against the integration's own steps. */
function faults(recipe) {
  const steps = numbered(recipe);
  return [
    ...(['verified', 'unverified'].includes(recipe.names) && recipe.source
      ? []
      : ['does not say whether its names are verified']),
    ...(JSON.stringify(recipe).includes('Unique Event ID') || JSON.stringify(recipe).includes('unique_event_id')
      ? []
      : ['does not say what the Unique Event ID is']),
    ...steps.flatMap((part) =>
      [...faultsOfStep(part), ...pillFaults(part, steps)].map((what) => `step ${part.number} ${what}`),
    ),
  ];
}

function faultsOfStep(part) {
  if (!part.action) {
    return part.filter || (part.app && part.event) ? [] : ['names no app and event'];
  }
  const step = stepOf(part);
  if (!step || step.display.hidden) {
    return [`is ${part.action}, which is not a step`];
  }
  const inputs = step.operation.inputFields.filter((field) => typeof field === 'object');
  const byKey = Object.fromEntries(inputs.map((field) => [field.key, field]));
  return [
    ...Object.keys(part.fields)
      .filter((key) => !byKey[key])
      .map((key) => `has a field ${key}, which the step has not`),
    ...inputs.filter((field) => field.required && !part.fields[field.key]).map((field) => `lacks ${field.key}`),
    ...Object.entries(part.fields)
      .filter(([key, value]) => byKey[key]?.choices && !byKey[key].choices.some((one) => one.value === value))
      .map(([key]) => `has a ${key} that is no choice`),
    ...(part.number > 1 ? actionFaults(part) : []),
  ];
}

/** What the API asks of an action beyond single fields: that the pass is named. And each has its Unique Event ID. */
function actionFaults({ action, fields }) {
  const schema = Object.values(api.paths).find(({ post }) => post?.operationId === action).post.requestBody.content[
    'application/json'
  ].schema;
  const { anyOf = [{ required: [] }] } = api.components.schemas[schema.$ref.split('/').pop()];
  return [
    ...(anyOf.some(({ required }) => required.every((key) => key in fields)) ? [] : ['does not say which pass']),
    ...(/\{\{1__/.test(fields.unique_event_id ?? '') ? [] : ['has no Unique Event ID from the trigger']),
  ];
}

/** A pill names an earlier step, and a key that the step has, where it is one of ours. */
function pillFaults(part, steps) {
  const texts = JSON.stringify([part.fields ?? {}, part.filter ?? []]);
  return [...texts.matchAll(/\{\{(\w+?)__(\w+)\}\}/g)].flatMap(([pill, number, key]) => {
    const from = steps[number - 1];
    if (!from || from.number >= part.number) {
      return [`has ${pill}, which is not from an earlier step`];
    }
    return from.action && !(key in stepOf(from).operation.sample)
      ? [`has ${pill}, which ${from.action} does not give`]
      : [];
  });
}

const all = recipes();

for (const [name, recipe] of Object.entries(all)) {
  test(`the recipe ${name} can be built`, () => assert.deepEqual(faults(recipe), []));
}

test('a paid invoice of QuickBooks counts only with a total above 0', () => {
  const paid = Object.values(all).filter(({ trigger }) => trigger.event === 'New Paid Invoice');
  assert.notEqual(paid.length, 0);
  for (const { steps } of paid) {
    assert.deepEqual(steps[0].filter, [['{{1__TotalAmt}}', '(Number) Greater than', '0']]);
  }
});

const FAULTS = {
  'a step that is not there': [
    (recipe) => (recipe.steps[2].action = 'add_points'),
    'step 4 is add_points, which is not a step',
  ],
  'a field that is not there': [
    (recipe) => (recipe.steps[2].fields.score = '1'),
    'step 4 has a field score, which the step has not',
  ],
  'a required field that is not filled': [(recipe) => delete recipe.steps[2].fields.change, 'step 4 lacks change'],
  'a choice that is none': [
    (recipe) => (recipe.steps[2].fields.change = 'increase'),
    'step 4 has a change that is no choice',
  ],
  'a pass that is not named': [(recipe) => delete recipe.steps[2].fields.pass_id, 'step 4 does not say which pass'],
  'an event that may count twice': [
    (recipe) => (recipe.steps[2].fields.unique_event_id = 'invoice'),
    'step 4 has no Unique Event ID from the trigger',
  ],
  'a pill of a later step': [
    (recipe) => (recipe.steps[1].fields.email = '{{4__email}}'),
    'step 3 has {{4__email}}, which is not from an earlier step',
  ],
  'a pill that our step does not give': [
    (recipe) => (recipe.steps[2].fields.pass_id = '{{3__card}}'),
    'step 4 has {{3__card}}, which create_pass does not give',
  ],
  'names of unknown standing': [(recipe) => delete recipe.names, 'does not say whether its names are verified'],
  'a step of another app without a name': [(recipe) => delete recipe.trigger.event, 'step 1 names no app and event'],
};

for (const [what, [plant, fault]] of Object.entries(FAULTS)) {
  test(`${what} is found`, () => {
    const recipe = structuredClone(all['quickbooks-paid-invoice-points']);
    plant(recipe);
    assert.ok(faults(recipe).includes(fault), JSON.stringify(faults(recipe)));
  });
}

test('the pages are those of the recipes: if not, run "npm run recipes"', () => {
  const there = readdirSync(DOCS).map((name) => [name, readFileSync(path.join(DOCS, name), 'utf8')]);
  assert.deepEqual(Object.fromEntries(there), pages());
});
