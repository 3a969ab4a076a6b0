// The player: a <video> a party, side by side, one set of controls, and both kept in step.
//
// All tracks share the recording's timeline, so the same `currentTime` means the same moment. The
// longest track leads; the others are brought to it.

/** @import {Opened, OpenedTrack} from "./types.js" */

import { BASE } from "./base.js";
import { button, el } from "./dom.js";
import { duration, sentence, t } from "./i18n.js";

const CHECK_MS = 250;
/** Nobody sees less than this between lips and voice. */
const DRIFT_S = 0.08;
/** Further apart than this, a seek is less disturbing than a long chase. */
const JUMP_S = 0.6;
const CHASE = 0.08;
const SPEEDS = [0.5, 1, 1.25, 1.5, 2];

export class Player {
  /**
   * @param {Opened} opened
   * @param {string} title
   */
  constructor(opened, title) {
    this.length = opened.duration_ms / 1000;
    this.speed = 1;
    this.wanted = false;
    this.seeking = false;
    this.videos = opened.tracks.map(({ url }) => el("video", { src: BASE + url, preload: "auto", playsinline: true }));
    this.toggle = button(t("player.play"), () => this.setPlaying(!this.wanted), { class: "strong" });
    this.slider = el("input", {
      type: "range", min: 0, max: this.length, step: 0.1, value: 0, "aria-label": t("player.position"),
    });
    this.time = el("output", { class: "number" });
    this.note = el("p", { class: "hint", "aria-live": "polite" });
    this.element = el(
      "section",
      { class: "player", role: "region", "aria-label": t("player.title"), tabindex: -1 },
      el("h2", {}, title),
      el("div", { class: "side-by-side" }, ...opened.tracks.map((track, n) => this.figure(track, n))),
      el("div", { class: "player-controls" }, this.toggle, this.slider, this.time, this.speeds()),
      this.note,
      ...gapList(opened.tracks),
    );
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.timer = setInterval(() => this.keepInStep(), CHECK_MS);
    this.draw();
  }

  /**
   * @param {OpenedTrack} track
   * @param {number} n
   */
  figure(track, n) {
    const label = `${track.name} (${sentence("role", track.role)})`;
    const video = this.videos[n];
    if (!video) return "";
    video.setAttribute("aria-label", label);
    video.addEventListener("error", () => (this.note.textContent = t("player.failed", { name: track.name })));
    return el("figure", {}, video, el("figcaption", {}, label));
  }

  speeds() {
    const select = el("select", { "aria-label": t("player.speed") });
    for (const speed of SPEEDS) {
      select.append(el("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    }
    select.addEventListener("change", () => {
      this.speed = Number(select.value);
      for (const video of this.videos) video.playbackRate = this.speed;
    });
    return select;
  }

  /** The track that leads: the one that lasts longest. */
  get leader() {
    return this.videos.reduce(
      (best, one) => (lengthOf(one) > lengthOf(best) ? one : best),
      /** @type {HTMLVideoElement} */ (this.videos[0]),
    );
  }

  /** @param {boolean} playing */
  setPlaying(playing) {
    this.wanted = playing;
    if (playing && this.leader.ended) this.seek(0);
    for (const video of this.videos) {
      if (!playing) video.pause();
      else if (!isOver(video, this.leader.currentTime)) void video.play().catch(() => undefined);
    }
    this.draw();
  }

  /** @param {number} seconds */
  seek(seconds) {
    const to = Math.min(Math.max(0, seconds), this.length);
    for (const video of this.videos) video.currentTime = Math.min(to, lengthOf(video) || to);
    this.draw();
  }

  keepInStep() {
    const { leader } = this;
    if (leader.ended && this.wanted) this.setPlaying(false);
    // One that waits for data holds the others, or they would run away from it.
    const stalled = this.videos.some((one) => one.seeking || (this.wanted && one.readyState < 3 && !one.ended));
    if (this.wanted) this.hold(stalled);
    for (const video of this.videos) if (video !== leader && !stalled) this.follow(video, leader);
    this.draw();
  }

  /** @param {boolean} stalled */
  hold(stalled) {
    for (const video of this.videos) {
      if (stalled && video.readyState >= 3) video.pause();
      else if (!stalled && video.paused && !isOver(video, this.leader.currentTime)) {
        void video.play().catch(() => undefined);
      }
    }
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLVideoElement} leader
   */
  follow(video, leader) {
    if (isOver(video, leader.currentTime)) return;
    const behind = leader.currentTime - video.currentTime;
    const apart = Math.abs(behind);
    if (apart > JUMP_S || (leader.paused && apart > DRIFT_S)) video.currentTime = leader.currentTime;
    const chase = apart > DRIFT_S ? Math.sign(behind) * CHASE : 0;
    video.playbackRate = this.speed * (1 + chase);
  }

  draw() {
    const now = this.leader?.currentTime ?? 0;
    if (document.activeElement !== this.slider || this.wanted) this.slider.value = String(now);
    const text = `${duration(now * 1000)} / ${duration(this.length * 1000)}`;
    this.slider.setAttribute("aria-valuetext", text);
    if (this.time.textContent !== text) this.time.textContent = text;
    const label = t(this.wanted ? "player.pause" : "player.play");
    if (this.toggle.textContent !== label) this.toggle.textContent = label;
  }

  close() {
    clearInterval(this.timer);
    for (const video of this.videos) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
    this.element.remove();
  }
}

/** @param {HTMLVideoElement} video */
function lengthOf(video) {
  return Number.isFinite(video.duration) ? video.duration : 0;
}

/**
 * Whether this track has nothing more at that moment.
 * @param {HTMLVideoElement} video
 * @param {number} at
 */
function isOver(video, at) {
  return video.ended || (lengthOf(video) > 0 && at >= lengthOf(video));
}

/**
 * What was left out because somebody wanted it so, and then what is missing.
 * @param {OpenedTrack[]} tracks
 */
function gapList(tracks) {
  const all = tracks.flatMap(({ name, gaps }) => gaps.map((gap) => ({ name, ...gap })));
  const pauses = all.filter(({ reason }) => reason === "paused");
  const losses = all.filter(({ reason }) => reason !== "paused");
  return [
    ...gapPart(t("player.pauses"), pauses, () => ""),
    ...gapPart(t("player.gaps"), losses, (reason) => `, ${sentence("gap", reason)}`),
  ];
}

/**
 * @param {string} title
 * @param {{name: string, start_ms: number, end_ms: number, reason: string}[]} gaps
 * @param {(reason: string) => string} why
 */
function gapPart(title, gaps, why) {
  const items = gaps.map(({ name, start_ms, end_ms, reason }) =>
    el("li", {}, `${name}: ${duration(start_ms)}–${duration(end_ms)}${why(reason)}`),
  );
  return items.length ? [el("h3", {}, title), el("ul", {}, ...items)] : [];
}
