'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { definition, runner, serve } = require('./support');

const FIELDS = [
  { name: 'member_since', title: 'Member since', type: 'text', required: false },
  { name: 'birthday', title: 'Birthday', type: 'date', required: true },
];

/** A service that knows the fields above and answers actions with what they were sent. */
async function service(t) {
  const server = await serve(t, ({ url, body }) => ({
    body: url.endsWith('/fields') ? { data: FIELDS } : JSON.parse(body),
  }));
  return { server, run: runner({ base_url: server.url, api_key: 'pr_test_x' }) };
}

const sent = async (t, action, inputData) =>
  (await service(t)).run(`creates.${action}.operation.perform`, { inputData });

test('blank means "leave alone", whether it is absent or an empty text', async (t) => {
  const blank = {
    email: '',
    first_name: null,
    phone: undefined,
    last_name: '  ',
    custom_field_birthday: '',
    fields_to_clear: [],
  };
  assert.deepEqual(await sent(t, 'update_pass', { pass_id: 'pass_1', ...blank }), { pass_id: 'pass_1' });
});

test('a number that is left blank is not sent, and one that is given is sent as it was written', async (t) => {
  const input = { pass_id: 'pass_1', change: 'set', points: '', amount: '49.90', points_per_unit: '1' };
  assert.deepEqual(await sent(t, 'update_points', input), {
    pass_id: 'pass_1',
    change: 'set',
    amount: '49.90',
    points_per_unit: '1',
  });
});

test('no field has the type number: Zapier would make 0 of a blank one', async () => {
  for (const { operation } of Object.values((await definition()).creates)) {
    assert.deepEqual(
      operation.inputFields.filter(({ type }) => type === 'number' || type === 'integer'),
      [],
    );
  }
});

test('custom fields go where the API has them', async (t) => {
  const input = { program_id: 'prog_1', custom_field_member_since: '2026', custom_field_birthday: '1990-12-10' };
  assert.deepEqual(await sent(t, 'create_pass', input), {
    program_id: 'prog_1',
    fields: { member_since: '2026', birthday: '1990-12-10' },
  });
});

test('what is named under Fields to Clear is cleared, also where it was filled in', async (t) => {
  const input = { pass_id: 'pass_1', phone: '1', fields_to_clear: ['phone', 'custom_field_birthday'] };
  assert.deepEqual(await sent(t, 'update_pass', input), { pass_id: 'pass_1', phone: null, fields: { birthday: null } });
});

test('warnings and unknown keys are not sent', async (t) => {
  const input = { pass_id: 'pass_1', permanent: true, permanent_warning: 'x', other: 'y' };
  assert.deepEqual(await sent(t, 'revoke_pass', input), { pass_id: 'pass_1', permanent: true });
});

test('the custom fields of the chosen program appear as fields of their own', async (t) => {
  const { run, server } = await service(t);
  const fields = await run('creates.create_pass.operation.inputFields', { inputData: { program_id: 'prog_1' } });
  assert.equal(server.requests[0].url, '/v1/programs/prog_1/fields');
  const byKey = Object.fromEntries(fields.map((field) => [field.key, field]));
  assert.deepEqual(byKey.custom_field_member_since, {
    key: 'custom_field_member_since',
    label: 'Member since',
    type: 'string',
  });
  assert.deepEqual(
    [byKey.custom_field_birthday.required, byKey.custom_field_birthday.placeholder],
    [true, '2027-12-31'],
  );
  assert.deepEqual(
    byKey.fields_to_clear.choices.map(({ value }) => value),
    ['email', 'first_name', 'last_name', 'phone', 'expires_at', 'custom_field_member_since', 'custom_field_birthday'],
  );
});

test('a custom field that new passes need is not needed to change one', async (t) => {
  const { run } = await service(t);
  const fields = await run('creates.update_pass.operation.inputFields', { inputData: { program_id: 'prog_1' } });
  assert.equal(fields.find(({ key }) => key === 'custom_field_birthday').required, undefined);
});

test('without a program nothing is asked for', async (t) => {
  const { run, server } = await service(t);
  const fields = await run('creates.update_pass.operation.inputFields');
  assert.ok(fields.some(({ key }) => key === 'fields_to_clear'));
  assert.deepEqual(server.requests, []);
});

test('what can be cleared without a program needs none', async () => {
  const { inputFields } = (await definition()).creates.reinstate_pass.operation;
  const field = inputFields.find(({ key }) => key === 'fields_to_clear');
  assert.deepEqual(
    field.choices.map(({ value }) => value),
    ['expires_at'],
  );
});

test('revoking for good is warned of right before the field', async () => {
  const keys = (await definition()).creates.revoke_pass.operation.inputFields.map(({ key }) => key);
  assert.equal(keys.indexOf('permanent_warning'), keys.indexOf('permanent') - 1);
});
