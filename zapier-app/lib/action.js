'use strict';

const { call } = require('./client');
const { bodyFrom, inputFields, titleCase } = require('./inputs');
const { outputFields } = require('./outputs');
const { actions } = require('./wording.json');

/**
 * Makes the step for an action of the API. Its key is the action's operation ID: `update_points`.
 *
 * `warnings` maps a field's key to a text that is shown in front of it.
 */
function action(key, { warnings = {} } = {}) {
  const { path, description, input, output, sample } = actions[key];
  const warning = (field) =>
    field.key in warnings ? [{ key: `${field.key}_warning`, type: 'copy', helpText: warnings[field.key] }] : [];
  return {
    key,
    noun: 'Pass',
    display: { label: titleCase(key), description },
    operation: {
      inputFields: inputFields(input).flatMap((field) => [...warning(field), field]),
      outputFields: outputFields(output),
      sample,
      perform: (z, bundle) => call(z, bundle, 'POST', path, { body: bodyFrom(bundle.inputData, input) }),
    },
  };
}

module.exports = { action };
