'use strict';

const { action } = require('../lib/action');

module.exports = action('redeem_pass');
