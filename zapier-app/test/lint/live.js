'use strict';

// The checks that compare what a step promises with what the service really answers.

const { misfits } = require('./rules');

/** The keys of a value, those of nested objects included: `fields.member_since`. */
function keysOf(value, path = '') {
  if (!value || typeof value !== 'object' || Array.isArray(value)) {
    return [];
  }
  return Object.entries(value).flatMap(([key, one]) => [path + key, ...keysOf(one, `${path}${key}.`)]);
}

function missing(wanted, there) {
  const known = new Set(keysOf(there));
  return keysOf(wanted).filter((key) => !known.has(key));
}

/** T002: the primary key is there. T004: every key of the sample is. T005: types, and required output fields, fit. */
function checkAnswer(operation, answer) {
  const fields = (operation.outputFields ?? []).filter((field) => typeof field === 'object');
  return [
    ...(answer.id === undefined || answer.id === null ? ['T002 there is no id'] : []),
    ...missing(operation.sample, answer).map((key) => `T004 the sample has ${key}, the answer has not`),
    ...misfits(fields, answer).map((what) => `T005 ${what}`),
  ];
}

/** T006: what the editor shows from the list of events is in a delivery, too. */
function checkDelivery(listed, delivered) {
  return missing(listed, delivered).map((key) => `T006 the list has ${key}, the delivery has not`);
}

module.exports = { checkAnswer, checkDelivery };
