'use strict';

const { hookTrigger } = require('../lib/hook');

module.exports = hookTrigger('pass.redeemed', 'Triggers when a coupon or ticket is redeemed.');
