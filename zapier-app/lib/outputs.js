'use strict';

/** Makes output fields from what the API says about an answer. An object (the custom fields) has no type in Zapier. */
function outputFields(said) {
  return Object.entries(said)
    .filter(([, one]) => one.type !== 'object')
    .map(([key, one]) => ({
      key,
      label: one.title,
      ...(one.type === 'array' ? { type: 'string', list: true } : { type: one.type }),
      ...(one.required && !one.nullable && { required: true }),
    }));
}

module.exports = { outputFields };
