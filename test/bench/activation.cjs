// Loads dist/extension.cjs with a stand-in for the `vscode` module that does nothing, activates it, and prints the
// milliseconds that both took.
const Module = require('node:module');
const path = require('node:path');

/** Anything at all: callable, constructible, with every member. @type {any} */
const anything = new Proxy(class {}, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => '' : key === 'then' ? undefined : anything),
  set: () => true,
  apply: () => anything,
  construct: () => anything,
  // A bundle copies a module's own members and looks the others up here.
  getPrototypeOf: () => anything,
});
/** @type {any} */ (Module)._load = new Proxy(/** @type {any} */ (Module)._load, {
  apply: (load, self, args) => (args[0] === 'vscode' ? anything : Reflect.apply(load, self, args)),
});

const root = path.join(__dirname, '..', '..');
const packageJSON = require(path.join(root, 'package.json'));
const memento = { get: () => undefined, update: async () => {} };
const context = {
  subscriptions: [],
  extension: { packageJSON },
  globalStorageUri: { fsPath: '/nonexistent' },
  globalState: memento,
  workspaceState: memento,
  secrets: anything,
};
const began = performance.now();
require(path.join(root, 'dist', 'extension.cjs')).activate(context);
console.log(performance.now() - began);
process.exit();
