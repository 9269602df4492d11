'use strict';

// The steps of this kind, in the order in which the editor lists them.
const steps = [require('./find_pass')];

module.exports = Object.fromEntries(steps.map((step) => [step.key, step]));
