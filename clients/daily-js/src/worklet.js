// One copy for both: the server's page and this package must sound the same.
import "../../../src/bargein/server/page/audio/microphone-worklet.js";
import "../../../src/bargein/server/page/audio/player-worklet.js";
