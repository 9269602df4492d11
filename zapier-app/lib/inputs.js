'use strict';

// Input fields, and the body that is made from what they were filled with.

const { call } = require('./client');

// Dropdowns, wherever a field of this key is used.
const MENUS = {
  program_id: { dynamic: 'program_list.id.name' },
  tier_id: { dynamic: 'tier_list.id.name', dependsOn: ['program_id'] },
  pass_id: { dynamic: 'pass_list.id.name', search: 'find_pass.id' },
};

// A key of its own for each custom field, away from the keys of the API.
const CUSTOM = 'custom_field_';
const CLEAR = 'fields_to_clear';

/** Says a key's words as a person would: `event_ticket` is "Event Ticket". */
function titleCase(key) {
  return key.replace(/(^|[_.])(\w)/g, (_, gap, letter) => (gap && ' ') + letter.toUpperCase());
}

/** Makes one input field from what the API says about it. */
function inputField(key, said) {
  return {
    key,
    label: said.title,
    helpText: said.description,
    // Numbers are typed as text and read by the API. Zapier turns a number that is left blank into 0, and a balance
    // would be set to nothing; it also guesses at "1.234,50", where the API says what is wrong with it.
    type: said.type === 'boolean' ? 'boolean' : 'string',
    ...(said.required && { required: true }),
    ...(said.default && { default: said.default }),
    ...(said.choices && { choices: said.choices.map((one) => ({ label: titleCase(one), value: one, sample: one })) }),
    ...(typeof said.example === 'string' && !said.choices && !MENUS[key] && { placeholder: said.example }),
    ...MENUS[key],
  };
}

/**
 * Makes the input fields of an action: which pass it is about, what changes, how often it may count, what is rare.
 * The custom fields and the list of fields to clear stand where the API has `fields`.
 */
function inputFields(said) {
  const rank = (key) => (key === 'unique_event_id' ? 1 : said[key].advanced ? 2 : 0);
  const keys = Object.keys(said).sort((one, other) => rank(one) - rank(other));
  const lastToClear = keys.findLast((key) => said[key].nullable);
  return keys.flatMap((key) => {
    if (key === 'fields') {
      return customFields(said);
    }
    const field = inputField(key, said[key]);
    if (said.fields) {
      return key === 'program_id' ? { ...field, altersDynamicFields: true } : field;
    }
    return key === lastToClear ? [field, clearField(said, [])] : field;
  });
}

/** Makes the function that asks which custom fields the chosen program has. */
function customFields(said) {
  return async (z, bundle) => {
    const programId = bundle.inputData.program_id;
    const { data } = programId
      ? await call(z, bundle, 'GET', `/v1/programs/${encodeURIComponent(programId)}/fields`)
      : { data: [] };
    return [...data.map((one) => customField(one, said)), clearField(said, data)];
  };
}

function customField({ name, title, type, required }, said) {
  return {
    key: CUSTOM + name,
    label: title,
    type: 'string',
    ...(type === 'date' && { placeholder: '2027-12-31' }),
    // Whoever may name the pass by other things than its program changes one that is there already.
    ...(required && said.program_id.required && { required: true }),
  };
}

/** Blank means "leave alone", so what is to become empty is named. Only what the API takes `null` for can be. */
function clearField(said, custom) {
  const choices = [
    ...Object.entries(said)
      .filter(([, one]) => one.nullable)
      .map(([key, one]) => [key, one.title]),
    ...custom.map((one) => [CUSTOM + one.name, one.title]),
  ];
  return {
    key: CLEAR,
    label: 'Fields to Clear',
    helpText: 'Values to take away. A field that is left blank stays as it is.',
    type: 'string',
    list: true,
    choices: choices.map(([value, label]) => ({ label, value, sample: value })),
  };
}

/** Makes the request body from what the fields were filled with. Blank is left out: it means "leave alone". */
function bodyFrom(inputData, said) {
  const given = Object.entries(inputData).filter(([, value]) => !isBlank(value));
  const cleared = [inputData[CLEAR] ?? []]
    .flat()
    .filter((key) => !isBlank(key))
    .map((key) => [key, null]);
  const body = {};
  for (const [key, value] of [...given, ...cleared]) {
    if (key.startsWith(CUSTOM)) {
      body.fields = { ...body.fields, [key.slice(CUSTOM.length)]: value };
    } else if (key in said) {
      body[key] = value;
    }
  }
  return body;
}

/** Tells whether a field was left blank, in either form: Zapier gives no value, or an empty text. */
function isBlank(value) {
  return value === undefined || value === null || String(value).trim() === '';
}

module.exports = { bodyFrom, inputField, inputFields, isBlank, titleCase };
