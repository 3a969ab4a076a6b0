// Where this service lies on its host.

/** The path before every address of ours: "" or such as "/calls". Static files lie right below. */
export const BASE = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
