'use strict';

const { homepage } = require('./package.json');
const { call } = require('./lib/client');
const { serviceAddress } = require('./lib/address');

/** Asks who the API key is. The host is added for the label: every service is somebody's own. */
async function test(z, bundle) {
  const me = await call(z, bundle, 'GET', '/v1/me');
  return { ...me, host: new URL(serviceAddress(bundle.authData.base_url)).host };
}

module.exports = {
  type: 'custom',
  fields: [
    {
      key: 'base_url',
      label: 'Service Address',
      helpText: 'Where your Passrail service is reached, for example `https://passes.example.com`.',
      type: 'string',
      required: true,
      placeholder: 'https://passes.example.com',
    },
    {
      key: 'api_key',
      label: 'API Key',
      // `homepage` is set by who pushes the app, to the address of their service: see docs/zapier.md.
      helpText: `A test key (\`pr_test_...\`) sees test data only, a live key (\`pr_live_...\`) live data only. Whoever runs the service makes them: [about the service](${homepage}/docs).`,
      type: 'password',
      required: true,
    },
  ],
  test,
  connectionLabel: '{{account_name}} ({{mode}}) at {{host}}',
};
