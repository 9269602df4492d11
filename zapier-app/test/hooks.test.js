'use strict';

const assert = require('node:assert/strict');
const { createHmac } = require('node:crypto');
const { test } = require('node:test');

const { isSigned } = require('../lib/signature');
const { runner, serve } = require('./support');

// The example of the Standard Webhooks specification, with its signature as their library makes it.
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const EXAMPLE = {
  headers: {
    'Http-Webhook-Id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'Http-Webhook-Timestamp': '1614265330',
    'Http-Webhook-Signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  },
  content: '{"test": 2432232314}',
};
const AT = 1614265330_000;

function signed(event, secret = SECRET) {
  const content = JSON.stringify(event);
  const timestamp = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(secret.slice(6), 'base64');
  const signature = createHmac('sha256', key).update(`${event.id}.${timestamp}.${content}`).digest('base64');
  const headers = {
    'Http-Webhook-Id': event.id,
    'Http-Webhook-Timestamp': timestamp,
    'Http-Webhook-Signature': `v1,${signature}`,
  };
  return { rawRequest: { headers, content }, cleanedRequest: event };
}

const EVENT = {
  id: 'evt_1',
  type: 'points.changed',
  timestamp: '2026-11-20T09:30:00.000Z',
  operation_id: 'op_1',
  data: { id: 'pass_1', points: 120, operation_id: 'op_1', points_before: 95 },
};
const FLAT = {
  id: 'evt_1',
  type: 'points.changed',
  timestamp: '2026-11-20T09:30:00.000Z',
  operation_id: 'op_1',
  pass_id: 'pass_1',
  points: 120,
  points_before: 95,
};

test('the signature of the specification is right', () => assert.ok(isSigned(EXAMPLE, SECRET, AT)));

test('one of several signatures is enough', () => {
  const several = `v1,AAAA v1a,BBBB ${EXAMPLE.headers['Http-Webhook-Signature']}`;
  assert.ok(isSigned({ ...EXAMPLE, headers: { ...EXAMPLE.headers, 'Http-Webhook-Signature': several } }, SECRET, AT));
});

test('a signature is good for five minutes', () => {
  assert.ok(isSigned(EXAMPLE, SECRET, AT + 300_000));
  assert.ok(!isSigned(EXAMPLE, SECRET, AT + 301_000));
  assert.ok(!isSigned(EXAMPLE, SECRET, AT - 301_000));
});

test('whatever does not fit is not signed', () => {
  const withHeader = (name, value) => ({ ...EXAMPLE, headers: { ...EXAMPLE.headers, [name]: value } });
  const wrong = [
    { ...EXAMPLE, content: `${EXAMPLE.content} ` },
    { ...EXAMPLE, headers: {} },
    withHeader('Http-Webhook-Id', 'msg_other'),
    withHeader('Http-Webhook-Timestamp', '1614265331'),
    withHeader('Http-Webhook-Timestamp', 'soon'),
    withHeader('Http-Webhook-Signature', 'v1,'),
    withHeader('Http-Webhook-Signature', 'v1'),
    withHeader('Http-Webhook-Signature', EXAMPLE.headers['Http-Webhook-Signature'].replace('v1,', 'v2,')),
  ];
  for (const request of wrong) {
    assert.ok(!isSigned(request, SECRET, AT), JSON.stringify(request));
  }
  assert.ok(!isSigned(EXAMPLE, 'whsec_AAAA', AT));
  assert.ok(!isSigned(EXAMPLE, undefined, AT));
});

const run = runner({ base_url: 'http://localhost:1', api_key: 'x' });
const receive = (bundle, subscribeData = { secret: SECRET }) =>
  run('triggers.points_changed.operation.perform', { ...bundle, subscribeData });

test('a delivery becomes one flat object', async () => assert.deepEqual(await receive(signed(EVENT)), [FLAT]));

test('an event of another type triggers nothing', async () => {
  assert.deepEqual(await receive(signed({ ...EVENT, type: 'tier.changed' })), []);
});

test('a delivery that is not signed with the secret of the subscription stops the run', async () => {
  const expected = { name: 'HaltedError', message: /^A delivery was not signed by the connected service/ };
  await assert.rejects(receive(signed(EVENT, 'whsec_AAAA')), expected);
  await assert.rejects(receive({ rawRequest: { headers: {}, content: '{}' }, cleanedRequest: EVENT }), expected);
});

test('a list of events has the same flat objects', async (t) => {
  const server = await serve(t, () => ({ body: { data: [EVENT], next_cursor: null } }));
  const listed = runner({ base_url: server.url, api_key: 'x' })('triggers.points_changed.operation.performList', {
    inputData: { program_id: 'prog_1' },
  });
  assert.deepEqual(await listed, [FLAT]);
  assert.equal(server.requests[0].url, '/v1/events?type=points.changed&program_id=prog_1&limit=25');
});

test('the list of events goes on over an empty page', async (t) => {
  const server = await serve(t, ({ url }) =>
    url.includes('cursor=next')
      ? { body: { data: [EVENT], next_cursor: null } }
      : { body: { data: [], next_cursor: 'next' } },
  );
  const call = runner({ base_url: server.url, api_key: 'x' });
  assert.deepEqual(await call('triggers.points_changed.operation.performList', { inputData: {} }), [FLAT]);
});

test('a subscription keeps what the service answers, and ends by its ID', async (t) => {
  const server = await serve(t, ({ method }) =>
    method === 'POST' ? { status: 201, body: { id: 'hook_1', secret: SECRET } } : { status: 204 },
  );
  const call = runner({ base_url: server.url, api_key: 'x' });
  const operation = 'triggers.points_changed.operation';
  const subscribeData = await call(`${operation}.performSubscribe`, {
    targetUrl: 'https://hooks.zapier.com/1',
    inputData: { program_id: '' },
  });
  assert.deepEqual(subscribeData, { id: 'hook_1', secret: SECRET });
  assert.deepEqual(JSON.parse(server.requests[0].body), {
    target_url: 'https://hooks.zapier.com/1',
    event_types: ['points.changed'],
    program_id: null,
  });
  await call(`${operation}.performUnsubscribe`, { subscribeData });
  assert.deepEqual([server.requests[1].method, server.requests[1].url], ['DELETE', '/v1/hooks/hook_1']);
});
