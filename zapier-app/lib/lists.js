'use strict';

const { call } = require('./client');

const ROWS = 100;

/** Reads a list from a cursor on, up to the first page that holds something: a page may be empty and name a next one. */
async function nextPage(z, bundle, path, params) {
  let { cursor } = params;
  for (;;) {
    const { data, next_cursor: next } = await call(z, bundle, 'GET', path, { params: { ...params, cursor } });
    if (data.length > 0 || next === null) {
      return { data, next };
    }
    cursor = next;
  }
}

/**
 * Returns one page of a list of the API. The API pages by cursor and Zapier by number, so the pages before the wanted
 * one are walked through; few people scroll a dropdown beyond the first hundred.
 */
async function page(z, bundle, path, filters = {}) {
  let cursor;
  for (let before = bundle.meta?.page ?? 0; ; before -= 1) {
    const { data, next } = await nextPage(z, bundle, path, { ...filters, limit: ROWS, cursor });
    if (before === 0) {
      return data;
    }
    if (next === null) {
      return [];
    }
    cursor = next;
  }
}

/** Makes a trigger that nobody sees: it fills a dropdown. */
function dropdown(key, noun, perform, sample) {
  return {
    key,
    noun,
    display: {
      label: `${noun} List`,
      description: `Triggers when a list of ${noun.toLowerCase()} choices is shown.`,
      hidden: true,
    },
    operation: { perform, canPaginate: true, sample },
  };
}

module.exports = { dropdown, nextPage, page };
