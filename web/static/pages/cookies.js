// The cookie page is all text.

import { start } from "../shell.js";

await start();
