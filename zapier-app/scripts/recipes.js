'use strict';

// Writes docs/recipes/ from recipes/*.yaml. Zapier shares no Zaps of private apps, so a recipe is a page to build from.

const fs = require('node:fs');
const path = require('node:path');

const { parse } = require('yaml');

const app = require('..');
const { actions } = require('../lib/wording.json');

const RECIPES = path.join(__dirname, '../recipes');
const DOCS = path.join(__dirname, '../../docs/recipes');
const OWN_APP = 'Passrail';
// What an event has beside its pass; the rest of the flat object of a trigger is in `data`.
const OF_THE_EVENT = new Set(['id', 'type', 'timestamp', 'operation_id']);

/** Reads all recipes, by name. */
function recipes() {
  const files = fs
    .readdirSync(RECIPES)
    .filter((file) => file.endsWith('.yaml'))
    .sort();
  return Object.fromEntries(
    files.map((file) => [path.basename(file, '.yaml'), parse(fs.readFileSync(path.join(RECIPES, file), 'utf8'))]),
  );
}

/** The trigger and the steps after it, in order: the first has number 1, as in the editor. */
function numbered(recipe) {
  return [recipe.trigger, ...recipe.steps].map((step, place) => ({ ...step, number: place + 1 }));
}

/** The step of this app that a part of a recipe names, or undefined where it is one of another app. */
function stepOf(part) {
  return part.number === 1 ? app.triggers[part.action] : app.creates[part.action];
}

/** Returns every page as it should be, by file name. */
function pages() {
  const all = Object.entries(recipes());
  return { 'README.md': index(all), ...Object.fromEntries(all.map(([name, recipe]) => [`${name}.md`, page(recipe)])) };
}

function index(all) {
  const rows = all.map(([name, { title, names }]) => `| [${title}](${name}.md) | ${names} |`);
  return lines([
    '# Recipes',
    '',
    'Zaps to rebuild by hand: choose the apps, copy the values. A value such as `{{1__Id}}` is pasted into the field as it',
    'stands; the editor makes a pill of it. The number is that of the step it comes from.',
    '',
    '"verified" means that the names in the pills have been tried against the app they come from. Where they have not,',
    'compare them with the test record in the editor first.',
    '',
    '| recipe | field names |',
    '|---|---|',
    ...rows,
    '',
    'Made from `zapier-app/recipes/` by `npm run recipes`. How to get the Passrail steps into your Zapier: [zapier.md](../zapier.md).',
  ]);
}

function page(recipe) {
  const steps = numbered(recipe);
  return lines([
    `# ${recipe.title}`,
    '',
    recipe.result,
    '',
    `Field names: **${recipe.names}**. ${recipe.source}`,
    '',
    ...steps.flatMap(section),
    '## Good to know',
    '',
    ...recipe.notes.map((note) => `- ${note}`),
    '',
    '## The same with Webhooks by Zapier',
    '',
    'Without this integration, with the app Webhooks by Zapier (it needs a paid plan). What is not named here stays as',
    'it is above. The service refuses blank values, so leave out what your records do not always have.',
    '',
    ...steps.flatMap(webhook),
  ]);
}

function section(part) {
  const step = stepOf(part);
  const name = part.filter
    ? 'Filter by Zapier'
    : step
      ? `${OWN_APP}: ${step.display.label}`
      : `${part.app}: ${part.event}`;
  return [
    `## ${part.number}. ${name}`,
    '',
    ...(part.why ? [part.why, ''] : []),
    ...(part.filter ? [...table(['only continue if', 'is', 'value'], part.filter.map(filterRow)), ''] : []),
    ...(part.fields ? [...table(['field', 'value'], fieldRows(part)), ''] : []),
  ];
}

function filterRow([pill, condition, value]) {
  return [`\`${pill}\``, condition, value && `\`${value}\``];
}

function fieldRows(part) {
  const labels = Object.fromEntries(
    (stepOf(part)?.operation.inputFields ?? []).map((field) => [field.key, field.label]),
  );
  return Object.entries(part.fields).map(([key, value]) => [labels[key] ?? key, shown(key, value)]);
}

/** A program is chosen, the rest is pasted. */
function shown(key, value) {
  return key === 'program_id' ? value : `\`${value}\``;
}

/** The same step as a plain request: to an action, or a subscription for events. Steps of other apps stay as they are. */
function webhook(part) {
  if (!stepOf(part)) {
    return part.filter || part.number === 1
      ? []
      : [`${part.number}. ${part.app}: as above, with the pills of the event: ${pillsOfEvent(part)}.`, ''];
  }
  return part.number === 1 ? subscription(part) : request(part);
}

function subscription(part) {
  const type = part.action.replace('_', '.');
  return [
    '1. Trigger **Catch Hook**. Give its address to the service, once:',
    '',
    '   ```sh',
    '   curl -sS https://YOUR-SERVICE/v1/hooks -H "Authorization: Bearer $PASSRAIL_KEY" -H \'Content-Type: application/json\' \\',
    `     -d '{"target_url": "THE-ADDRESS", "event_types": ["${type}"], "program_id": "YOUR-PROGRAM"}'`,
    '   ```',
    '',
  ];
}

function request(part) {
  const { unique_event_id: key, ...fields } = part.fields;
  const rows = Object.entries(fields).map(([name, value]) => [
    `Data \`${name}\``,
    name === 'program_id' ? 'ID of the program' : `\`${value}\``,
  ]);
  return [
    `${part.number}. Action **POST**, instead of ${stepOf(part).display.label}:`,
    '',
    ...table(
      ['field', 'value'],
      [
        ['URL', `\`https://YOUR-SERVICE${actions[part.action].path}\``],
        ['Payload Type', '`json`'],
        ...rows,
        ['Headers `Authorization`', '`Bearer YOUR-API-KEY`'],
        ['Headers `Idempotency-Key`', `\`${key}\``],
      ],
    ).map((line) => `   ${line}`),
    '',
  ];
}

/** Catch Hook gives the event as it is delivered: what is of the pass is one level below. */
function pillsOfEvent(part) {
  const keys = [...JSON.stringify(part.fields).matchAll(/\{\{1__(\w+)\}\}/g)].map(([, key]) => key);
  const nested = (key) => (OF_THE_EVENT.has(key) ? key : key === 'pass_id' ? 'data__id' : `data__${key}`);
  return [...new Set(keys)].map((key) => `\`{{1__${nested(key)}}}\``).join(', ');
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
}

function lines(all) {
  return `${all.join('\n').replace(/\n+$/, '')}\n`;
}

module.exports = { DOCS, numbered, pages, recipes, stepOf };

if (require.main === module) {
  fs.mkdirSync(DOCS, { recursive: true });
  for (const [name, text] of Object.entries(pages())) {
    fs.writeFileSync(path.join(DOCS, name), text);
  }
}
