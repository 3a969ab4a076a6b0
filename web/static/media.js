// This browser's camera, microphone and screen.
//
// One track of each kind, and the very same one goes to the call and to the recorder's leg:
// what is muted here is muted in both, with nothing to keep in step.

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * Dispatches `tracks` when a track was replaced, `state` when something was muted or shared, and
 * `camera` (CustomEvent<string>) with a code as of `open` when the camera was asked for again.
 */
export class Media extends EventTarget {
  constructor() {
    super();
    /** @type {MediaStreamTrack | null} */
    this.audio = null;
    /** @type {MediaStreamTrack | null} */
    this.camera = null;
    /** @type {MediaStreamTrack | null} */
    this.screen = null;
    this.microphoneOn = true;
    this.cameraOn = true;
    this.closed = false;
    /** The devices that were chosen, by the browser's names for them; "": the browser chooses. */
    this.chosen = { audio: "", video: "" };
  }

  /**
   * Ask the browser for the chosen devices, or for any where a chosen one is gone.
   * @param {...("audio" | "video")} kinds
   */
  async capture(...kinds) {
    const found = await capture(this.wanted(kinds));
    if (found.reason !== "OverconstrainedError") return found;
    for (const kind of kinds) this.chosen[kind] = "";
    return capture(this.wanted(kinds));
  }

  /** @param {readonly ("audio" | "video")[]} kinds */
  wanted(kinds) {
    const usual = { audio: MICROPHONE, video: CAMERA };
    const named = kinds.map((kind) => {
      const device = this.chosen[kind];
      return [kind, device ? { ...usual[kind], deviceId: { exact: device } } : usual[kind]];
    });
    return /** @type {MediaStreamConstraints} */ (Object.fromEntries(named));
  }

  /**
   * Use another device from now on. Resolves with a code as of `open`.
   * @param {"audio" | "video"} kind
   * @param {string} device
   */
  async choose(kind, device) {
    this.chosen[kind] = device;
    if (kind === "video" && !this.cameraOn) return "";
    const { stream, reason } = await this.capture(kind);
    if (!stream) {
      const what = kind === "audio" ? "microphone" : "camera";
      return `${what}_${reason === "NotAllowedError" ? "denied" : "missing"}`;
    }
    const before = kind === "audio" ? this.audio : this.camera;
    if (kind === "video") this.camera = null;
    this.take(stream);
    before?.stop();
    this.replaced();
    return "";
  }

  /** What is sent as picture: the screen while it is shared. */
  get video() {
    return this.screen ?? this.camera;
  }

  /**
   * Ask for camera and microphone; what can be had is taken. Returns a code for the sentence that
   * says what is missing: "" when nothing is.
   */
  async open() {
    this.closed = false;
    if (!navigator.mediaDevices) return "none";
    const both = await this.capture("audio", "video");
    if (both.stream) {
      this.take(both.stream);
      return "";
    }
    // One device may be missing or taken while the other works.
    const sound = await this.capture("audio");
    const picture = await this.capture("video");
    for (const { stream } of [sound, picture]) if (stream) this.take(stream);
    if (this.audio && (this.camera || !this.cameraOn)) return "";
    const denied = [both, sound, picture].some(({ reason }) => reason === "NotAllowedError");
    const what = this.audio ? "camera" : this.camera ? "microphone" : "both";
    return `${what}_${denied ? "denied" : "missing"}`;
  }

  /** @param {MediaStream} stream */
  take(stream) {
    this.audio = stream.getAudioTracks()[0] ?? this.audio;
    const [camera] = stream.getVideoTracks();
    // Turned off, or left, while the browser was still asking.
    if (camera && (!this.cameraOn || this.camera)) camera.stop();
    else this.camera = camera ?? this.camera;
    if (this.closed) this.close();
    this.apply();
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.microphoneOn = on;
    this.apply();
  }

  /**
   * Turn the camera off, which lets go of it, so that its light goes out; or on, which asks for it
   * again. What is sent as picture follows by itself.
   * @param {boolean} on
   */
  async setCamera(on) {
    this.cameraOn = on;
    if (!on) {
      this.camera?.stop();
      this.camera = null;
      this.replaced();
      return;
    }
    this.apply();
    const { stream, reason } = await this.capture("video");
    if (stream) this.take(stream);
    else this.cameraOn = this.camera !== null;
    const code = reason === "NotAllowedError" ? "camera_denied" : "camera_missing";
    this.dispatchEvent(new CustomEvent("camera", { detail: stream ? "" : code }));
    this.replaced();
  }

  apply() {
    if (this.audio) this.audio.enabled = this.microphoneOn;
    this.dispatchEvent(new Event("state"));
  }

  /** What the others' pages are told. */
  get state() {
    return {
      microphone: this.microphoneOn && this.audio !== null,
      camera: this.screen !== null || (this.cameraOn && this.camera !== null),
    };
  }

  /** Share a screen or window instead of the camera. Resolves false when the person declined. */
  async share() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } } });
    } catch {
      return false;
    }
    this.screen = stream.getVideoTracks()[0] ?? null;
    // The browser's own "stop sharing" ends the track without asking us.
    this.screen?.addEventListener("ended", () => this.unshare());
    this.replaced();
    return true;
  }

  unshare() {
    this.screen?.stop();
    this.screen = null;
    this.replaced();
  }

  replaced() {
    this.dispatchEvent(new Event("tracks"));
    this.dispatchEvent(new Event("state"));
  }

  /** Let go of every device. */
  close() {
    this.closed = true;
    for (const track of [this.audio, this.camera, this.screen]) track?.stop();
    this.audio = this.camera = this.screen = null;
  }
}

/**
 * @param {MediaStreamConstraints} wanted
 * @returns {Promise<{stream: MediaStream | null, reason: string}>}
 */
async function capture(wanted) {
  try {
    return { stream: await navigator.mediaDevices.getUserMedia(wanted), reason: "" };
  } catch (error) {
    return { stream: null, reason: error instanceof DOMException ? error.name : "unknown" };
  }
}
