import ts from 'typescript5';

/** Where the code of a file waits: whatever the process does next, it may have been stopped there for long. */
export interface AwaitPoint {
  /** The file, what the wait is in, and what is waited for; `#2` where the same is waited for again. */
  readonly id: string;
  /** Counted from 1. */
  readonly line: number;
}

const longestText = 60;

/**
 * Every point at which a file waits, and its code with each of them told to {@link stalled}: `await x`, `for await`, and
 * what `then`, `catch` and `finally` go on from when what they do there calls something.
 */
export function awaitPointsOf(file: string, code: string): { points: AwaitPoint[]; code: string } {
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const points: AwaitPoint[] = [];
  const inserted: { at: number; order: number; text: string }[] = [];
  const note = (waited: ts.Node, call: string) => {
    const text = waited.getText(source).replace(/\s+/g, ' ');
    const named = `${file} ${placeOf(waited)}: ${text.length > longestText ? `${text.slice(0, longestText)}…` : text}`;
    const before = points.filter(({ id }) => id === named || id.startsWith(`${named} #`)).length;
    const id = before === 0 ? named : `${named} #${before + 1}`;
    points.push({ id, line: source.getLineAndCharacterOfPosition(waited.getStart(source)).line + 1 });
    // Of two that begin together the outer one comes first, of two that end together the inner one.
    inserted.push({ at: waited.getStart(source), order: inserted.length, text: `${call}(${JSON.stringify(id)}, ` });
    inserted.push({ at: waited.getEnd(), order: -inserted.length, text: ')' });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isAwaitExpression(node)) note(node.expression, '__stalls.stalled');
    else if (ts.isForOfStatement(node) && node.awaitModifier) note(node.expression, '__stalls.stalledEach');
    else if (goesOn(node)) note(node.expression.expression, '__stalls.stalled');
    ts.forEachChild(node, visit);
  };
  visit(source);
  let rewritten = code;
  for (const { at, text } of inserted.sort((a, b) => b.at - a.at || b.order - a.order))
    rewritten = rewritten.slice(0, at) + text + rewritten.slice(at);
  return { points, code: rewritten };
}

/** `promise.then(…)` and its like, which calls something in what it does then. */
function goesOn(node: ts.Node): node is ts.CallExpression & { readonly expression: ts.PropertyAccessExpression } {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  return ['then', 'catch', 'finally'].includes(node.expression.name.text) && node.arguments.some(callsSomething);
}

const callsSomething = (node: ts.Node): boolean =>
  ts.isCallExpression(node) || ts.forEachChild(node, child => callsSomething(child) || undefined) === true;

/** The function, method or step that a node is in. */
function placeOf(node: ts.Node): string {
  for (let at = node.parent; at; at = at.parent) {
    const named = at as ts.Node & { readonly name?: ts.Node };
    const isPlace =
      ts.isFunctionDeclaration(at) ||
      ts.isMethodDeclaration(at) ||
      ((ts.isPropertyAssignment(at) || ts.isVariableDeclaration(at)) && isFunction(at.initializer));
    if (isPlace && named.name) return named.name.getText().replaceAll("'", '');
  }
  return 'the file';
}

const isFunction = (node: ts.Node | undefined) =>
  node !== undefined && (ts.isArrowFunction(node) || ts.isFunctionExpression(node));
