'use strict';

const { send } = require('../lib/client');
const { inputField, isBlank } = require('../lib/inputs');
const { update_points } = require('../lib/wording.json').actions;

const METHODS = ['GET', 'POST', 'PATCH', 'DELETE'];

/** Only a path of the API: whatever begins otherwise could lead to another host. */
function pathOf(z, bundle) {
  const path = String(bundle.inputData.path).trim();
  if (!/^\/v1\/[\w/.~%-]*$/.test(path) || path.split('/').includes('..')) {
    throw new z.errors.HaltedError(
      'Path must begin with `/v1/` and have nothing after it but names, such as `/v1/passes`.',
    );
  }
  return path;
}

/** Reads the body here, so that a typing error is told in terms of the field. */
function bodyOf(z, bundle) {
  const text = bundle.inputData.body;
  if (isBlank(text)) {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new z.errors.HaltedError(`Body is not valid JSON: ${error.message}.`);
  }
}

async function perform(z, bundle) {
  const { method, query, unique_event_id: key } = bundle.inputData;
  const response = await send(z, bundle, method, pathOf(z, bundle), {
    params: query,
    body: bodyOf(z, bundle),
    headers: isBlank(key) ? {} : { 'Idempotency-Key': key },
  });
  return { id: response.getHeader('x-request-id'), status: response.status, body: response.data ?? {} };
}

module.exports = {
  key: 'api_request',
  noun: 'Request',
  display: {
    label: 'API Request',
    description: 'Sends a request to the API of the connected service, for what the other actions do not do.',
  },
  operation: {
    inputFields: [
      {
        key: 'method',
        label: 'Method',
        helpText: '`GET` reads, the others change something.',
        type: 'string',
        required: true,
        choices: METHODS.map((one) => ({ label: one, value: one, sample: one })),
      },
      {
        key: 'path',
        label: 'Path',
        helpText: 'What follows the service address. The documentation at `/docs` of the service lists all paths.',
        type: 'string',
        required: true,
        placeholder: '/v1/passes',
      },
      { key: 'query', label: 'Query', helpText: 'What follows the question mark: `status` and `active`.', dict: true },
      { key: 'body', label: 'Body', helpText: 'JSON to send, such as `{"status": "paused"}`.', type: 'text' },
      inputField('unique_event_id', update_points.input.unique_event_id),
    ],
    outputFields: [
      { key: 'id', label: 'Request ID', type: 'string', required: true },
      { key: 'status', label: 'HTTP Status', type: 'integer', required: true },
    ],
    sample: { id: 'req_019ab3c4d5e6468566ed9bfd92d50a24', status: 200, body: {} },
    perform,
  },
};
