'use strict';

const { call, send } = require('./client');
const { inputField } = require('./inputs');
const { nextPage } = require('./lists');
const { outputFields } = require('./outputs');
const { isSigned } = require('./signature');
const { triggers } = require('./wording.json');

const ROWS = 25;

/**
 * Makes a trigger that the service calls when something happens: a REST hook. For events of the type `points.changed`
 * its key is `points_changed`.
 */
function hookTrigger(type, description) {
  const { title, output, sample } = triggers.types[type];
  return {
    key: type.replace('.', '_'),
    noun: 'Pass',
    display: { label: title, description },
    operation: {
      type: 'hook',
      inputFields: [inputField('program_id', triggers.program_id)],
      outputFields: outputFields(output),
      sample: flat(sample),
      performSubscribe: (z, bundle) => subscribe(z, bundle, type),
      performUnsubscribe: unsubscribe,
      perform: (z, bundle) => receive(z, bundle, type),
      performList: (z, bundle) => recent(z, bundle, type),
    },
  };
}

/** One flat object for each event, the same from a delivery and from the list: the event, then the pass. */
function flat({ id, type, timestamp, operation_id: operationId, data: { id: passId, ...pass } }) {
  return { id, type, timestamp, ...pass, pass_id: passId, operation_id: operationId };
}

/** The answer has the ID and the secret of the hook. Zapier keeps both as `bundle.subscribeData`. */
function subscribe(z, bundle, type) {
  const body = { target_url: bundle.targetUrl, event_types: [type], program_id: bundle.inputData.program_id || null };
  return call(z, bundle, 'POST', '/v1/hooks', { body });
}

/** A hook that is gone already is deleted once more with success. */
async function unsubscribe(z, bundle) {
  await send(z, bundle, 'DELETE', `/v1/hooks/${encodeURIComponent(bundle.subscribeData.id)}`);
  return {};
}

/**
 * Takes a delivery. One that is not signed by the service stops the run with a sentence: ignoring it without a word
 * would also hide that the secret was changed, and a HaltedError, unlike others, never turns the Zap off.
 */
function receive(z, bundle, type) {
  if (!isSigned(bundle.rawRequest, bundle.subscribeData.secret)) {
    throw new z.errors.HaltedError(
      'A delivery was not signed by the connected service. If the secret of the hook was changed, turn the Zap off and on again.',
    );
  }
  const event = bundle.cleanedRequest;
  return event.type === type ? [flat(event)] : [];
}

/** The latest events, for testing the trigger in the editor. */
async function recent(z, bundle, type) {
  const params = { type, program_id: bundle.inputData.program_id || undefined, limit: ROWS };
  const { data } = await nextPage(z, bundle, '/v1/events', params);
  return data.map(flat);
}

module.exports = { hookTrigger };
