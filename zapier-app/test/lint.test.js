'use strict';

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');

const { description } = require('../package.json');
const { checkAnswer, checkDelivery } = require('./lint/live');
const released = require('./lint/released.json');
const { lint, publicKeys, rules, stepsOf, wrongListing } = require('./lint/rules');
const { definition, schemaErrors } = require('./support');

const create = (app) => app.creates.update_points;
const trigger = (app) => app.triggers.points_changed;
const field = (step, key) => step.operation.inputFields.find((one) => one.key === key);

// For each rule, a fault that it must find.
const FAULTS = {
  D001: (app) => create(app).operation.inputFields.push({ key: 'other_api_key', label: 'Other' }),
  D002: (app) => (app.authentication.fields[1].helpText = 'Ask your administrator.'),
  D003: (app) => (app.authentication.connectionLabel = '{{api_key}}'),
  D004: (app) => delete field(create(app), 'program_id').dynamic,
  D005: (app) => (field(create(app), 'program_id').dynamic = 'program_list.id.title'),
  D006: (app) => delete trigger(app).operation.performList,
  D007: (app) => (create(app).display.description = 'Opens [this](javascript:alert(1)).'),
  D008: (app) => (field(create(app), 'points').helpText = 'See https://example.com for more.'),
  D009: (app) => (app.searches.find_pass.operation.inputFields = []),
  D010: (app) => delete trigger(app).operation.sample.id,
  D011: (app) => (field(create(app), 'points').helpText = 'Points.'),
  D012: (app) => delete create(app).operation.sample,
  D013: (app) => (field(create(app), 'pass_id').search = 'find_card.id'),
  D014: (app) => delete field(create(app), 'pass_id').dynamic,
  D016: (app) => delete trigger(app).operation.performSubscribe,
  D017: (app) => delete trigger(app).operation.performUnsubscribe,
  D018: (app) => (field(create(app), 'points_per_unit').label = 'Points per unit'),
  D021: (app) => (trigger(app).display.description = 'Triggers whenever points change.'),
  D022: (app) => (create(app).operation.inputFields = ['$func$2$f$']),
  D023: (app) => (create(app).operation.sample.updated_at = '11/20/2026'),
  D024: (app) => (create(app).operation.sample.points = '120'),
  D025: (app) => (field(create(app), 'points').helpText = 'See [this](http://example.com).'),
  dependsOn: (app) => (field(app.creates.change_tier, 'tier_id').dependsOn = ['programme_id']),
  fullStop: (app) => (create(app).display.description = 'Changes the balance'),
  thirdPerson: (app) => (create(app).display.description = 'Change the balance of a membership.'),
};

test("the definition is valid by Zapier's own schema", async () => {
  assert.deepEqual(await schemaErrors(), []);
});

test('no publishing check finds anything', async () => {
  assert.deepEqual(lint(await definition()), []);
});

test('every rule has a planted fault', () => {
  assert.deepEqual(Object.keys(FAULTS).sort(), Object.keys(rules).sort());
});

for (const [code, plant] of Object.entries(FAULTS)) {
  test(`${code} finds a planted fault`, async () => {
    const app = await definition();
    plant(app);
    assert.notDeepEqual(rules[code](app), []);
  });
}

test('every step stands in the README', async () => {
  const readme = readFileSync(path.join(__dirname, '../README.md'), 'utf8');
  const keys = stepsOf(await definition()).map(({ step }) => `\`${step.key}\``);
  assert.deepEqual(
    keys.filter((key) => !readme.includes(`| ${key} |`)),
    [],
  );
});

test('M002: the words of the registration are allowed', () => {
  assert.deepEqual(wrongListing(description), []);
  assert.equal(wrongListing('Sync with Zapier').length, 2);
});

test('C001 to C003: no key that was released is gone, and new ones are written down', async () => {
  assert.deepEqual(publicKeys(await definition()), released);
});

test('C001 to C003 find a key that is gone', async () => {
  const app = await definition();
  app.creates.update_points.operation.inputFields.pop();
  assert.notDeepEqual(publicKeys(app), released);
});

test('T002, T004, T005 and T006 find what an answer lacks', () => {
  const operation = {
    sample: { id: 'x', name: 'y', fields: { seat: '1' } },
    outputFields: [{ key: 'points', type: 'number', required: true }],
  };
  assert.deepEqual(checkAnswer(operation, { id: 'a', name: 'b', fields: { seat: '2' }, points: 1 }), []);
  assert.deepEqual(checkAnswer(operation, { name: 'b', fields: {}, points: '1' }), [
    'T002 there is no id',
    'T004 the sample has id, the answer has not',
    'T004 the sample has fields.seat, the answer has not',
    'T005 points is not number',
  ]);
  assert.deepEqual(checkAnswer(operation, { id: 'a', name: 'b', fields: { seat: '2' } }), ['T005 points is missing']);
  assert.deepEqual(checkDelivery({ id: 'a', pass: { id: 'b' } }, { id: 'a', pass: {} }), [
    'T006 the list has pass.id, the delivery has not',
  ]);
});
