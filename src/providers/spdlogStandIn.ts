/**
 * A CommonJS module that takes the place of `@vscode/spdlog` in an editor server that was installed without compiling.
 * Without it output channels stay empty and there are no log files. It appends and never rotates.
 */
export const spdlogStandIn = `'use strict';
const fs = require('fs');
const path = require('path');
const levels = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'];

class Logger {
  constructor(kind, name, file) {
    this.file = file;
    this.level = 2;
    this.raw = false;
    fs.mkdirSync(path.dirname(file), { recursive: true });
  }
  write(level, message) {
    if (level < this.level) return;
    const text = this.raw ? message : new Date().toISOString() + ' [' + levels[level] + '] ' + message + '\\n';
    try {
      fs.appendFileSync(this.file, text);
    } catch {}
  }
  trace(message) { this.write(0, message); }
  debug(message) { this.write(1, message); }
  info(message) { this.write(2, message); }
  warn(message) { this.write(3, message); }
  error(message) { this.write(4, message); }
  critical(message) { this.write(5, message); }
  getLevel() { return this.level; }
  setLevel(level) { this.level = level; }
  setPattern() { this.raw = false; }
  clearFormatters() { this.raw = true; }
  flush() {}
  drop() {}
}

const create = async (name, file) => new Logger('rotating', name, file);
// One by one: an import from an ES module sees only exports that are written so.
exports.version = 0;
exports.Logger = Logger;
exports.setLevel = () => {};
exports.setFlushOn = () => {};
exports.createRotatingLogger = create;
exports.createAsyncRotatingLogger = create;
`;
