/** First step of every npm script: stops with what to do where the Node on the PATH is too old. */
import { badSetup, findNode, whatToDo } from '../bin/find-node.js';

if (findNode() !== process.execPath) {
  console.error(whatToDo());
  process.exit(badSetup);
}
