// Shows evidence step by step: nothing, a small blurred still, a grey still, a silent loop.
// Rule: what is not blurred is blurred again after 5 s; Esc takes all of it off the page at once.

import { get, post, tell } from './api.js';

const UNBLURRED_MS = 5000;
const LOOP_S = 6;
const LEAD_S = 1;
const REPORT_MS = 5000;
const CLOSE_MS = 500; // of the 2 s that a cut may take (our choice); afterwards the lease is gone
const LEVELS = ['Facts only. Nothing is shown.', 'A blurred still.', 'A grey still.',
  'A silent loop of 6 seconds.'];

export class Reveal {
  // appeal: the one under which a case that is decided is looked at; '' under its own lease.
  constructor(caseId, token, stage, where, appeal = '') {
    Object.assign(this, { caseId, token, stage, where });
    this.query = appeal ? `?token=${token}&appeal_id=${appeal}` : `?token=${token}`;
    this.items = [];
    this.at = 0;
    this.level = 0; // of what is shown
    this.wanted = 0; // of what was asked for, and may be on its way
    this.url = null;
    this.shown = null; // what is on the page: 'still', 'clip' or null
    this.seen = { stills_viewed: 0, clip_ms: 0, unblurred_ms: 0, audio_ms: 0 };
    this.told = { ...this.seen };
    this.turn = 0;
    this.isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches; // nothing moves unasked
    this.isOpened = false;
    this.onSpent = null; // asks whoever has seen as much as they should, once
    this.wasSpent = stage.dataset.spent === 'yes'; // who took the case all the same was asked then
    this.clock = setInterval(() => this.report().catch(tell), REPORT_MS);
  }

  async load() {
    const base = `/api/v1/cases/${this.caseId}/evidence`;
    const { items } = await (await get(`${base}${this.query}`)).json();
    const groups = new Map();
    for (const item of items) {
      const group = groups.get(item.flag_id) ?? { stills: [], clips: [] };
      (item.role === 'still' ? group.stills : group.clips).push(item);
      groups.set(item.flag_id, group);
    }
    this.items = [...groups].flatMap(([flagId, { stills, clips }]) => {
      const { epoch } = stills[0] ?? clips[0];
      const clip = clips[0] ?? { flag_id: flagId, epoch, role: 'clip', isGrowing: true };
      return stills.length ? stills.map((still) => ({ still, clip })) : [{ clip }];
    });
    if (this.items.length && !this.isOpened) {
      this.isOpened = true; // once: what somebody hides stays hidden
      await this.to(1);
    }
    this.say();
  }

  // Go to a level of what is shown; each level asks for what it needs, and for nothing more.
  async to(level) {
    const item = this.items[this.at];
    const turn = ++this.turn;
    this.wanted = level;
    if (level === 0 || !item) return this.hide();
    const part = (level === 3 ? null : item.still) ?? item.clip;
    if (part.isGrowing || this.shown?.flag_id !== part.flag_id || this.shown.number !== part.number) {
      const answer = await get(this.pathOf(part));
      const content = await answer.blob();
      if (turn !== this.turn) return undefined; // hidden, or something else, meanwhile
      const from = answer.headers.get('x-start-ms');
      this.put(from === null ? part : { ...part, start_ms: Number(from) }, content);
    }
    this.level = level;
    if (level === 1) this.blur();
    else this.unblur();
    return this.say();
  }

  // Where a part is: of a clip that grows, what there is of it now.
  pathOf({ flag_id: flagId, number, isGrowing }) {
    const what = isGrowing ? `clip/${flagId}` : `evidence/${flagId}/${number}`;
    return `/api/v1/cases/${this.caseId}/${what}${this.query}`;
  }

  put(part, content) {
    this.clear();
    this.url = URL.createObjectURL(content);
    this.shown = part;
    this.stage.classList.add('blurred');
    const element = document.createElement(part.role === 'still' ? 'img' : 'video');
    if (part.role === 'still') {
      element.alt = `Still, ${part.start_ms} ms into the stream; evidence of the flag`;
      this.seen.stills_viewed += 1;
    } else {
      element.muted = true;
      element.loop = true;
      element.playsInline = true;
      element.disablePictureInPicture = true;
      element.setAttribute('aria-label', 'Silent loop of the clip; evidence of the flag');
      this.loop(element);
    }
    element.src = this.url;
    this.stage.replaceChildren(element);
    if (part.role !== 'still' && !this.isCalm) element.play().catch(tell);
  }

  // Six seconds around where the flag began, again and again.
  loop(video) {
    const flagged = this.items[this.at].still?.start_ms ?? this.shown.start_ms;
    const from = Math.max(0, (flagged - this.shown.start_ms) / 1000 - LEAD_S);
    let last = null;
    video.addEventListener('loadedmetadata', () => { if (from < video.duration) video.currentTime = from; });
    video.addEventListener('timeupdate', () => {
      const now = performance.now();
      if (last !== null && !video.paused) {
        this.seen.clip_ms += Math.round(now - last);
        if (!video.muted) this.seen.audio_ms += Math.round(now - last);
      }
      last = now;
      if (video.currentTime >= from + LOOP_S) video.currentTime = from;
    });
  }

  unblur() {
    this.blur();
    this.stage.classList.remove('blurred');
    this.unblurredAt = performance.now();
    this.timer = setTimeout(() => { this.blur(); this.say(); }, UNBLURRED_MS);
  }

  blur() {
    clearTimeout(this.timer);
    if (this.unblurredAt !== undefined) {
      this.seen.unblurred_ms += Math.round(performance.now() - this.unblurredAt);
      this.unblurredAt = undefined;
    }
    this.stage.classList.add('blurred');
  }

  more() {
    const isBlurred = this.stage.classList.contains('blurred');
    const video = this.stage.querySelector('video');
    if (video?.paused) return video.play();
    const isThere = this.level === this.wanted;
    if (isThere && this.level >= 2 && isBlurred) return this.to(this.level);
    return this.to(Math.min(3, this.wanted + 1));
  }

  // Sound is heard only while a clip is shown, and only after this was asked for.
  sound() {
    const video = this.stage.querySelector('video');
    if (video) video.muted = !video.muted;
    this.say();
  }

  step(by) {
    const next = Math.min(this.items.length - 1, Math.max(0, this.at + by));
    if (next === this.at) return this.say();
    this.at = next;
    return this.to(this.wanted ? 1 : 0);
  }

  hide() {
    this.turn += 1;
    this.level = this.wanted = 0;
    this.clear();
    this.say();
  }

  clear() {
    this.blur();
    const element = this.stage.firstElementChild;
    if (element?.tagName === 'VIDEO') element.pause();
    element?.removeAttribute('src');
    this.stage.replaceChildren();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = this.shown = null;
  }

  say() {
    const of = this.items.length ? `${this.at + 1} of ${this.items.length}` : 'none kept yet';
    const again = this.level >= 2 && this.stage.classList.contains('blurred') ? ' Blurred again.' : '';
    const video = this.stage.querySelector('video');
    const heard = video && !video.muted ? ' With sound.' : '';
    const waits = video && this.isCalm ? ' Space plays it.' : '';
    this.stage.dataset.level = this.level;
    this.where.textContent = `${LEVELS[this.level]}${again}${heard}${waits} Evidence: ${of}.`;
  }

  // The media time of what is on the page, milliseconds of its timeline; null where nothing is.
  position() {
    if (!this.shown) return null;
    const video = this.stage.querySelector('video');
    const into = video ? Math.round(video.currentTime * 1000) : 0;
    return { epoch: this.shown.epoch, ms: this.shown.start_ms + into };
  }

  // Tell the console what was seen since the last time.
  async report() {
    if (this.unblurredAt !== undefined) {
      this.seen.unblurred_ms += Math.round(performance.now() - this.unblurredAt);
      this.unblurredAt = performance.now();
    }
    const since = {};
    for (const [name, value] of Object.entries(this.seen)) since[name] = value - this.told[name];
    if (!Object.values(since).some((value) => value > 0)) return;
    this.told = { ...this.seen };
    const path = `/api/v1/cases/${this.caseId}/exposure${this.query}`;
    const { is_spent: isSpent } = await post(path, { token: this.token, ...since });
    this.spent(isSpent);
  }

  // Take all off the page at the moment at which it becomes too much, and ask.
  spent(isSpent) {
    const isNew = isSpent && !this.wasSpent;
    this.wasSpent = isSpent;
    if (!isNew) return;
    this.hide();
    this.onSpent?.();
  }

  // Take all off the page, and tell what was seen; whether that is heard decides nothing, and
  // nobody waits for it long: a stream goes on meanwhile.
  async close() {
    this.hide();
    const longest = new Promise((done) => { setTimeout(done, CLOSE_MS); });
    await Promise.race([this.report().catch(tell), longest]);
  }

  stop() {
    clearInterval(this.clock);
    this.hide();
  }
}
