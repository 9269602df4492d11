'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { runner, serve } = require('./support');

const PASSES = [
  {
    id: 'pass_1',
    first_name: 'Ada',
    last_name: 'Lovelace',
    email: null,
    external_id: null,
    program_name: 'Club',
    status: 'revoked',
  },
  {
    id: 'pass_2',
    first_name: null,
    last_name: null,
    email: 'ada@example.com',
    external_id: 'c-1',
    program_name: 'Club',
    status: 'active',
  },
  {
    id: 'pass_3',
    first_name: null,
    last_name: null,
    email: null,
    external_id: null,
    program_name: 'Club',
    status: 'active',
  },
];

/** A service with one pass to a page; each page names the next. */
async function service(t) {
  const server = await serve(t, ({ url }) => {
    const query = new URL(url, 'http://localhost').searchParams;
    const place = Number(query.get('cursor') ?? 0);
    const rest = place + 1 < PASSES.length;
    return { body: { data: PASSES.slice(place, place + 1), next_cursor: rest ? String(place + 1) : null } };
  });
  return { server, run: runner({ base_url: server.url, api_key: 'pr_test_x' }) };
}

test('a dropdown is paged to its end', async (t) => {
  const { run } = await service(t);
  const rows = [];
  for (const page of [0, 1, 2, 3]) {
    rows.push(await run('triggers.pass_list.operation.perform', { meta: { page } }));
  }
  assert.deepEqual(rows, [
    [{ id: 'pass_1', name: 'Ada Lovelace (Club, revoked)' }],
    [{ id: 'pass_2', name: 'ada@example.com (Club, active)' }],
    [{ id: 'pass_3', name: 'pass_3 (Club, active)' }],
    [],
  ]);
});

/** A service whose first page, and one in the middle, are empty and yet name a next one. */
async function serviceWithEmptyPages(t) {
  const pages = [[], [PASSES[0]], [], [], [PASSES[1]]];
  const server = await serve(t, ({ url }) => {
    const place = Number(new URL(url, 'http://localhost').searchParams.get('cursor') ?? 0);
    return { body: { data: pages[place], next_cursor: place + 1 < pages.length ? String(place + 1) : null } };
  });
  return runner({ base_url: server.url, api_key: 'pr_test_x' });
}

test('a dropdown goes on over empty pages', async (t) => {
  const run = await serviceWithEmptyPages(t);
  const found = [];
  for (const page of [0, 1, 2]) {
    found.push((await run('triggers.pass_list.operation.perform', { meta: { page } })).map(({ id }) => id));
  }
  assert.deepEqual(found, [['pass_1'], ['pass_2'], []]);
});

test('a search goes on over empty pages', async (t) => {
  const run = await serviceWithEmptyPages(t);
  assert.deepEqual(
    (await search(run, { email: 'ada@example.com' })).map(({ id }) => id),
    ['pass_1'],
  );
});

test('the dropdown of passes is limited to the chosen program', async (t) => {
  const { run, server } = await service(t);
  await run('triggers.pass_list.operation.perform', { inputData: { program_id: 'prog_1' } });
  await run('triggers.pass_list.operation.perform', { inputData: { program_id: '' } });
  assert.deepEqual(
    server.requests.map(({ url }) => url),
    ['/v1/passes?program_id=prog_1&limit=100', '/v1/passes?limit=100'],
  );
});

test('without a program there are no tiers to choose from', async (t) => {
  const { run, server } = await service(t);
  assert.deepEqual(await run('triggers.tier_list.operation.perform'), []);
  assert.deepEqual(server.requests, []);
});

const search = (run, inputData) => run('searches.find_pass.operation.perform', { inputData });

test('a search names the valid pass first', async (t) => {
  const server = await serve(t, () => ({ body: { data: PASSES, next_cursor: null } }));
  const found = await search(runner({ base_url: server.url, api_key: 'x' }), {
    email: 'ada@example.com',
    external_id: '',
  });
  assert.deepEqual(
    found.map(({ id }) => id),
    ['pass_2', 'pass_3', 'pass_1'],
  );
  assert.equal(server.requests[0].url, '/v1/passes?email=ada%40example.com&limit=100');
});

test('a pass ID that is not there finds nothing', async (t) => {
  const server = await serve(t, () => ({ status: 404, body: { code: 'not-found', detail: 'There is no pass.' } }));
  assert.deepEqual(await search(runner({ base_url: server.url, api_key: 'x' }), { pass_id: 'pass_9' }), []);
});

test('a search that fails is not an empty one', async (t) => {
  const server = await serve(t, () => ({ status: 401, body: { code: 'unauthorized', detail: 'Unknown key.' } }));
  await assert.rejects(search(runner({ base_url: server.url, api_key: 'x' }), { pass_id: 'pass_9' }), {
    name: 'HaltedError',
  });
});

test('a search for nothing says what to fill in', async () => {
  const run = runner({ base_url: 'http://localhost:1', api_key: 'x' });
  await assert.rejects(search(run, { program_id: 'prog_1' }), { message: /fill in Pass, External ID or Email/ });
});
