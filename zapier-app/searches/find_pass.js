'use strict';

const { send } = require('../lib/client');
const { raiseProblems } = require('../lib/errors');
const { inputField, isBlank } = require('../lib/inputs');
const { nextPage } = require('../lib/lists');
const { outputFields } = require('../lib/outputs');
const wording = require('../lib/wording.json');

const ROWS = 100;

/** Zapier uses the first pass only, so one that is valid stands before those that are not any more. */
function bestFirst(passes) {
  return passes.toSorted((one, other) => (other.status === 'active') - (one.status === 'active'));
}

/** Nothing found is an empty list: whether that stops a Zap is the choice of the person who built it. */
async function byId(z, bundle, passId) {
  const path = `/v1/passes/${encodeURIComponent(passId)}`;
  const response = await send(z, bundle, 'GET', path, { skipThrowForStatus: true });
  return response.data?.code === 'not-found' ? [] : [raiseProblems({ ...response, skipThrowForStatus: false }, z).data];
}

async function perform(z, bundle) {
  const given = Object.entries(bundle.inputData).filter(([key, value]) => key in wording.find && !isBlank(value));
  const { pass_id: passId, ...filters } = Object.fromEntries(given);
  if (passId) {
    return byId(z, bundle, passId);
  }
  if (!filters.external_id && !filters.email) {
    throw new z.errors.HaltedError('Say which pass to find: fill in Pass, External ID or Email.');
  }
  const { data } = await nextPage(z, bundle, '/v1/passes', { ...filters, limit: ROWS });
  return bestFirst(data);
}

module.exports = {
  key: 'find_pass',
  noun: 'Pass',
  display: { label: 'Find Pass', description: 'Finds a pass by pass ID, external ID or email.' },
  operation: {
    // Elsewhere the field offers a search for the pass; here that would be this one.
    inputFields: Object.entries(wording.find).map(([key, said]) => ({ ...inputField(key, said), search: undefined })),
    outputFields: outputFields(wording.pass.output),
    sample: wording.pass.sample,
    perform,
  },
};
