// Hands a case to a colleague who is there, may judge it, and has none in hand.

import { get, post, say } from './api.js';

export class Handing {
  constructor(panel, path, token) {
    Object.assign(this, { panel, path, token });
  }

  async offer() {
    this.panel.hidden = !this.panel.hidden;
    if (this.panel.hidden) return;
    const { colleagues } = await (await get(`${this.path}/colleagues`)).json();
    const made = colleagues.slice(0, 9).map(({ account_id: id, name }, at) => {
      const button = document.createElement('button');
      const key = document.createElement('kbd');
      button.type = 'button';
      button.dataset.key = key.textContent = String(at + 1);
      button.dataset.to = id;
      button.append(key, ` ${name}`);
      return button;
    });
    this.panel.querySelector('.controls').replaceChildren(...made);
    say(made.length ? 'Say to whom.' : 'Nobody is there who may take it and has no case in hand.');
  }

  async to(control) {
    const said = { token: this.token, to: control.dataset.to };
    await post(`${this.path}/hand-off`, said);
    return control.textContent.trim().slice(1).trim();
  }
}
