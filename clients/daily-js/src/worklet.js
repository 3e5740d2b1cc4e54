// One copy for both: the server's page and this package must handle audio in the same way.
import "../../../src/bargein/server/page/audio/microphone-worklet.js";
import "../../../src/bargein/server/page/audio/player-worklet.js";
