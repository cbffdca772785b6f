// After an answer that never came, or where a case was lost: finds out what is true of it now.

import { ANSWER_MS, get, tellHere } from './api.js';

// Loads the facts anew, and gives the latest decision that one may know of; null where none is.
export async function latest(path) {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const { decisions } = await (await get(path, { signal })).json();
  const page = await (await get(location.pathname, { signal })).text();
  const facts = new DOMParser().parseFromString(page, 'text/html').getElementById('facts');
  tellHere(facts);
  document.getElementById('facts').replaceChildren(...facts.childNodes);
  return decisions.at(-1) ?? null;
}

export function inWords({ outcome, reason_code: reason, action }) {
  return `${outcome}, ${reason}, ${action}`;
}
