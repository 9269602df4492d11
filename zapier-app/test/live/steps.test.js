'use strict';

// Every step of the app against a running service: what its sample and output fields promise (T002, T004 to T006), and
// for hooks the whole way: subscribe, a real event, its delivery, perform, unsubscribe. `tests/zapier` starts the service
// and sets PASSRAIL_URL, PASSRAIL_KEY, RECEIVER_PORT (where the service may deliver to) and HAPPENINGS (a command, as JSON,
// that makes a pass installed, uninstalled, and tells of expired ones).

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { createServer } = require('node:http');
const { after, before, test } = require('node:test');

const app = require('../..');
const { checkAnswer, checkDelivery } = require('../lint/live');
const { definition, runner } = require('../support');

const { PASSRAIL_URL, PASSRAIL_KEY, RECEIVER_PORT, HAPPENINGS } = process.env;
const PATIENCE_SECONDS = 20;
const MEMBERSHIP = 'prog_demo_membership';
const COUPON = 'prog_demo_coupon';
const ADA = { program_id: MEMBERSHIP, external_id: 'live-ada' };

const run = runner({ base_url: PASSRAIL_URL, api_key: PASSRAIL_KEY });
const isHook = (trigger) => trigger.operation.type === 'hook';
const hooks = Object.keys(app.triggers).filter((key) => isHook(app.triggers[key]));

const received = Object.fromEntries(hooks.map((key) => [key, []]));
const subscriptions = {};
const answers = {};
let receiver;

/** Takes deliveries, at an address for each trigger. */
async function listen() {
  receiver = createServer(async (request, response) => {
    const content = Buffer.concat(await request.toArray()).toString();
    received[request.url.slice(1)].push({ headers: request.headers, content });
    response.end();
  });
  await new Promise((resolve) => receiver.listen(RECEIVER_PORT, '127.0.0.1', resolve));
}

/** Does every action once, and keeps the answers by the name of the step. */
async function act() {
  const create = async (key, inputData) =>
    (answers[`creates.${key}`] = await run(`creates.${key}.operation.perform`, { inputData }));
  await create('create_pass', { program_id: COUPON, external_id: 'live-coupon', expires_at: '' });
  await create('redeem_pass', {
    program_id: COUPON,
    external_id: 'live-coupon',
    reference: 'receipt-77',
    amount: '49.90',
  });
  await create('create_pass', { program_id: COUPON, external_id: 'live-expired', expires_at: '2026-01-01' });
  const ada = await create('create_pass', { ...ADA, email: 'live@example.com', custom_field_member_since: '2026' });
  await create('update_pass', { pass_id: ada.id, phone: '+44 20 7946 0000' });
  await create('update_points', {
    ...ADA,
    change: 'add',
    amount: '49.90',
    points_per_unit: '1',
    reason: 'Invoice 1001 paid',
  });
  await create('change_tier', { ...ADA, tier_id: 'tier_demo_gold', reason: 'Spent a lot' });
  await create('revoke_pass', { ...ADA, reason: 'Invoice 1001 refunded', permanent: false });
  await create('reinstate_pass', ADA);
  await create('api_request', { method: 'GET', path: '/v1/passes', query: { limit: 1 } });
  const [program, ...rest] = JSON.parse(HAPPENINGS);
  execFileSync(program, [...rest, ada.id], { stdio: 'inherit' });
}

async function until(condition, what) {
  const deadline = Date.now() + PATIENCE_SECONDS * 1000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited in vain for ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const operationOf = (key) => `triggers.${key}.operation`;
const step = async (kind, key) => (await definition())[kind][key].operation;

/** Runs the trigger on a delivery, in the form in which Zapier hands it over. */
async function perform(key, { headers, content }) {
  const named = Object.entries(headers).map(([name, value]) => [
    `Http-${name.replace(/(^|-)\w/g, (one) => one.toUpperCase())}`,
    value,
  ]);
  const bundle = {
    cleanedRequest: JSON.parse(content),
    rawRequest: { method: 'POST', headers: Object.fromEntries(named), content },
  };
  const [delivered] = await run(`${operationOf(key)}.perform`, { ...bundle, subscribeData: subscriptions[key] });
  return delivered;
}

before(async () => {
  assert.ok(
    PASSRAIL_URL && PASSRAIL_KEY && RECEIVER_PORT && HAPPENINGS,
    'these tests need a running service: see tests/zapier',
  );
  await listen();
  for (const key of hooks) {
    const targetUrl = `http://127.0.0.1:${RECEIVER_PORT}/${key}`;
    subscriptions[key] = await run(`${operationOf(key)}.performSubscribe`, { targetUrl });
  }
  await act();
  const waiting = () => hooks.filter((key) => received[key].length === 0);
  await until(
    () => waiting().length === 0,
    () => `deliveries to ${waiting()}`,
  );
});

after(() => receiver?.close());

for (const key of Object.keys(app.creates)) {
  test(`${key} answers what it promises`, async () => {
    assert.deepEqual(checkAnswer(await step('creates', key), answers[`creates.${key}`]), []);
  });
}

test('find_pass answers what it promises', async () => {
  const [found] = await run('searches.find_pass.operation.perform', { inputData: { external_id: ADA.external_id } });
  assert.deepEqual(checkAnswer(await step('searches', 'find_pass'), found), []);
});

for (const key of Object.keys(app.triggers).filter((one) => !isHook(app.triggers[one]))) {
  test(`${key} answers what it promises`, async () => {
    const rows = await run(`${operationOf(key)}.perform`, { inputData: { program_id: MEMBERSHIP } });
    const operation = await step('triggers', key);
    assert.notEqual(rows.length, 0);
    assert.deepEqual(
      rows.flatMap((row) => checkAnswer(operation, row)),
      [],
    );
  });
}

for (const key of hooks) {
  test(`${key} is delivered as it is listed, and as it promises`, async () => {
    const delivered = await perform(key, received[key][0]);
    const listed = await run(`${operationOf(key)}.performList`);
    const same = listed.find(({ id }) => id === delivered.id);
    const operation = await step('triggers', key);
    assert.deepEqual(delivered, same);
    assert.deepEqual([...checkAnswer(operation, delivered), ...checkDelivery(same, delivered)], []);
    assert.match(delivered.pass_id, /^pass_/);
  });
}

test('a delivery that was changed on its way is refused', async () => {
  const { headers, content } = received.points_changed[0];
  const changed = { headers, content: content.replace('"points_change":49', '"points_change":490') };
  assert.notEqual(changed.content, content);
  await assert.rejects(perform('points_changed', changed), { name: 'HaltedError' });
});

test('a trigger that is limited to a program lists only its events', async () => {
  const listed = await run(`${operationOf('pass_created')}.performList`, { inputData: { program_id: COUPON } });
  assert.deepEqual([...new Set(listed.map((event) => event.program_id))], [COUPON]);
});

test('a trigger that is limited to a program subscribes to its events only', async () => {
  const bundle = { targetUrl: `http://127.0.0.1:${RECEIVER_PORT}/pass_created`, inputData: { program_id: COUPON } };
  const subscribeData = await run(`${operationOf('pass_created')}.performSubscribe`, bundle);
  assert.equal(subscribeData.program_id, COUPON);
  await run(`${operationOf('pass_created')}.performUnsubscribe`, { subscribeData });
});

test('after all have unsubscribed no hook is left, and unsubscribing twice does no harm', async () => {
  for (const key of [...hooks, hooks[0]]) {
    await run(`${operationOf(key)}.performUnsubscribe`, { subscribeData: subscriptions[key] });
  }
  const { body } = await run('creates.api_request.operation.perform', {
    inputData: { method: 'GET', path: '/v1/hooks' },
  });
  assert.deepEqual(body.data, []);
});
