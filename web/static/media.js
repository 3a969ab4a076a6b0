// This browser's camera, microphone and screen.
//
// One track of each kind, and the very same one goes to the call and to the recorder's leg:
// what is muted here is muted in both, with nothing to keep in step.

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * Dispatches `tracks` when a track was replaced, and `state` when something was muted or shared.
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
    if (!navigator.mediaDevices) return "none";
    const both = await capture({ video: CAMERA, audio: MICROPHONE });
    if (both.stream) {
      this.take(both.stream);
      return "";
    }
    // One device may be missing or taken while the other works.
    const sound = await capture({ audio: MICROPHONE });
    const picture = await capture({ video: CAMERA });
    for (const { stream } of [sound, picture]) if (stream) this.take(stream);
    if (this.audio && this.camera) return "";
    const denied = [both, sound, picture].some(({ reason }) => reason === "NotAllowedError");
    const what = this.audio ? "camera" : this.camera ? "microphone" : "both";
    return `${what}_${denied ? "denied" : "missing"}`;
  }

  /** @param {MediaStream} stream */
  take(stream) {
    this.audio = stream.getAudioTracks()[0] ?? this.audio;
    this.camera = stream.getVideoTracks()[0] ?? this.camera;
    this.apply();
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.microphoneOn = on;
    this.apply();
  }

  /** @param {boolean} on */
  setCamera(on) {
    this.cameraOn = on;
    this.apply();
  }

  apply() {
    if (this.audio) this.audio.enabled = this.microphoneOn;
    if (this.camera) this.camera.enabled = this.cameraOn;
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
