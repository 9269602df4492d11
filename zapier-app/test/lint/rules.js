'use strict';

// The publishing checks that Zapier makes on its own server, and of which the local schema knows nothing. They run over
// the app's definition (plain data; functions are texts there). The codes are those of Zapier's reference.

const SECRET = /api.?key|secret|token|password/i;
const SMALL_WORDS = new Set(['a', 'an', 'and', 'by', 'for', 'from', 'in', 'of', 'on', 'or', 'the', 'to', 'with']);
// IDs that come from the user's other apps: there is no list of them to choose from.
const FOREIGN_IDS = new Set(['external_id', 'unique_event_id']);
const TYPES = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  datetime: isDateTime,
};

/** All steps of a definition, with what is said about them in findings. */
function stepsOf(definition) {
  return ['triggers', 'searches', 'creates'].flatMap((kind) =>
    Object.values(definition[kind] ?? {}).map((step) => ({ kind, step, name: `${kind}.${step.key}` })),
  );
}

const visible = ({ step }) => !step.display.hidden;
const isHook = ({ step }) => step.operation.type === 'hook';
const inputsOf = ({ step }) => (step.operation.inputFields ?? []).filter((field) => typeof field === 'object');
const outputsOf = ({ step }) => (step.operation.outputFields ?? []).filter((field) => typeof field === 'object');

/** Makes a rule that looks at each step by itself. `look` returns what is wrong, or nothing. */
const eachStep = (look) => (definition) =>
  stepsOf(definition).flatMap((one) =>
    [look(one, definition)]
      .flat()
      .filter(Boolean)
      .map((what) => `${one.name}: ${what}`),
  );

/** Makes a rule that looks at each input field. */
const eachInput = (look) =>
  eachStep((one, definition) =>
    inputsOf(one).flatMap((field) =>
      [look(field, one, definition)]
        .flat()
        .filter(Boolean)
        .map((what) => `${field.key} ${what}`),
    ),
  );

/** Makes a rule that looks at each text of the definition, wherever it is. */
const eachText = (look) => (definition) => {
  const walk = (value, path) => {
    if (typeof value === 'string') {
      const what = look(value);
      return what ? [`${path}: ${what}`] : [];
    }
    return value && typeof value === 'object'
      ? Object.entries(value).flatMap(([key, one]) => walk(one, `${path}.${key}`))
      : [];
  };
  return ['authentication', 'triggers', 'searches', 'creates', 'searchOrCreates'].flatMap((part) =>
    walk(definition[part], part),
  );
};

const rules = {
  D001: eachInput((field) =>
    SECRET.test(field.key) || SECRET.test(field.label ?? '') ? 'asks for a secret outside the connection' : '',
  ),
  D002: (definition) =>
    definition.authentication.fields
      .filter((field) => field.type === 'password' && !/\]\(https:\/\//.test(field.helpText ?? ''))
      .map((field) => `authentication: ${field.key} does not link to where it is found`),
  D003: ({ authentication: { connectionLabel, fields } }) => {
    const secret = fields.find((field) => field.type === 'password' && connectionLabel?.includes(field.key));
    return connectionLabel && !secret ? [] : ['authentication: the label is missing or shows a secret'];
  },
  D004: eachInput((field) =>
    /(^|[ _])id$/i.test(field.key) && !FOREIGN_IDS.has(field.key) && !field.dynamic && !field.choices?.perform
      ? 'has no dropdown'
      : '',
  ),
  D005: eachInput((field, one, { triggers }) => {
    const [trigger, ...keys] = field.dynamic?.split('.') ?? [];
    return trigger && keys.some((key) => !(key in (triggers[trigger]?.operation.sample ?? {})))
      ? `names ${field.dynamic}, which is not there`
      : '';
  }),
  D006: eachStep((one) => isHook(one) && !one.step.operation.performList && 'has no performList'),
  D007: eachText(
    (text) => /\b(http:|javascript:|data:text|vbscript:)/i.test(text) && 'has an address that is not https',
  ),
  D008: (definition) =>
    eachText((text) => {
      const words = text.replace(/`[^`]*`/g, '');
      return (
        (/\]\s+\(|\]\((?!https:\/\/[^\s)]+\))/.test(words) || /(?<!\]\()https?:\/\//.test(words)) &&
        'has a broken or bare link'
      );
    })(onlyTexts(definition)),
  D009: eachStep((one) => one.kind === 'searches' && inputsOf(one).length === 0 && 'has no input field'),
  D010: eachStep((one) => {
    const keys = outputsOf(one)
      .filter((field) => field.primary)
      .map((field) => field.key);
    return (keys.length ? keys : ['id'])
      .filter((key) => !(key in (one.step.operation.sample ?? {})))
      .map((key) => `sample has no ${key}`);
  }),
  D011: eachInput(
    (field) => plain(field.helpText) === plain(field.label) && field.label && 'has a help text that repeats the label',
  ),
  D012: eachStep((one) => visible(one) && Object.keys(one.step.operation.sample ?? {}).length === 0 && 'has no sample'),
  D013: eachInput(
    (field, one, { searches }) =>
      field.search && !(field.search.split('.')[0] in searches) && `names ${field.search}, which is not there`,
  ),
  D014: eachInput((field) => field.search && !field.dynamic && !field.choices && 'has a search but no dropdown'),
  D016: eachStep((one) => isHook(one) && !one.step.operation.performSubscribe && 'has no performSubscribe'),
  D017: eachStep((one) => isHook(one) && !one.step.operation.performUnsubscribe && 'has no performUnsubscribe'),
  D018: eachStep((one) =>
    [
      one.step.display.label,
      ...inputsOf(one).map((field) => field.label),
      ...outputsOf(one).map((field) => field.label),
    ]
      .filter((label) => label && !isTitleCase(label))
      .map((label) => `"${label}" is not in Title Case`),
  ),
  D021: eachStep(
    (one) =>
      one.kind === 'triggers' &&
      !/^Triggers when .+\.$/.test(one.step.display.description) &&
      'is not described by "Triggers when ... ."',
  ),
  D022: eachStep((one) => one.kind === 'creates' && inputsOf(one).length === 0 && 'has no static input field'),
  D023: eachStep((one) =>
    textsIn(one.step.operation.sample)
      .filter((text) => /^\d{1,4}[-/.]\d{1,2}[-/.]\d/.test(text) && !isDate(text) && !isDateTime(text))
      .map((text) => `sample has the date ${text}`),
  ),
  D024: eachStep((one) => misfits(outputsOf(one), one.step.operation.sample)),
  // Beyond Zapier's checks.
  dependsOn: eachInput((field, one) => {
    const known = new Set(inputsOf(one).map((other) => other.key));
    return (field.dependsOn ?? [])
      .filter((key) => !known.has(key))
      .map((key) => `depends on ${key}, which is not there`);
  }),
  fullStop: eachStep((one) => !one.step.display.description.endsWith('.') && 'has a description without a full stop'),
  thirdPerson: eachStep(
    (one) =>
      one.kind !== 'triggers' &&
      !/^[A-Z][a-z]+s /.test(one.step.display.description) &&
      'is not described by what it does',
  ),
};
rules.D025 = rules.D007;

/** Runs all rules: what is wrong, each with its code. */
function lint(definition) {
  return Object.entries(rules).flatMap(([code, rule]) => rule(definition).map((what) => `${code} ${what}`));
}

/** M002: the words an app is registered with. */
function wrongListing(text) {
  return [
    ...(text.length < 40 || text.length > 140 ? ['M002 has not 40 to 140 characters'] : []),
    ...(/zapier|sync/i.test(text) ? ['M002 has a word that is not allowed'] : []),
  ];
}

/** C001 to C003: the keys that people's Zaps rely on. */
function publicKeys(definition) {
  return stepsOf(definition)
    .filter(visible)
    .flatMap((one) => [
      one.name,
      ...inputsOf(one)
        .filter((field) => field.type !== 'copy')
        .map((field) => `${one.name} input ${field.key}`),
      ...Object.keys(one.step.operation.sample).map((key) => `${one.name} sample ${key}`),
    ]);
}

/** Which output fields a value does not fit: its types, and what must be there. Also T005, on live answers. */
function misfits(fields, value) {
  return fields.flatMap((field) => {
    const found = value?.[field.key];
    if (found === undefined || found === null) {
      return field.required ? [`${field.key} is missing`] : [];
    }
    const each = field.list ? found : [found];
    return Array.isArray(each) && each.every((one) => !field.type || TYPES[field.type](one))
      ? []
      : [`${field.key} is not ${field.type}`];
  });
}

/** Links and addresses matter where people read them: not in placeholders, samples and functions. */
function onlyTexts(definition) {
  const words = { authentication: definition.authentication.fields.map((field) => field.helpText) };
  for (const one of stepsOf(definition)) {
    words[one.kind] = {
      ...words[one.kind],
      [one.step.key]: [one.step.display.description, ...inputsOf(one).map((field) => field.helpText)],
    };
  }
  return words;
}

function textsIn(value) {
  if (typeof value === 'string') {
    return [value];
  }
  return value && typeof value === 'object' ? Object.values(value).flatMap(textsIn) : [];
}

function isTitleCase(label) {
  return label.split(' ').every((word, place) => /^[A-Z0-9]/.test(word) || (place > 0 && SMALL_WORDS.has(word)));
}

function plain(text) {
  return String(text ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ')
    .trim();
}

function isDate(text) {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}

function isDateTime(text) {
  return (
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text) && !Number.isNaN(Date.parse(text))
  );
}

module.exports = { isDateTime, lint, misfits, outputsOf, publicKeys, rules, stepsOf, visible, wrongListing };
