// All types that the pages' comments name, in one place to import from. Types only; never served.

export * from "./wire.js";
export * from "./person.js";
export * from "./admin.js";
