// Holds an AsyncAPI document against the specification with the AsyncAPI project's own parser.
// Prints one diagnostic a line, as JSON; what it refers to beside it is read, too.
//   node validate.mjs FOLDER_OF_NODE_MODULES DOCUMENT
import { createRequire } from "node:module";

const [folder, file] = process.argv.slice(2);
const { Parser, fromFile } = createRequire(`${folder}/`)("@asyncapi/parser");
const { document, diagnostics } = await fromFile(new Parser(), file).parse();
for (const { severity, code, message, path } of diagnostics) {
  console.log(JSON.stringify({ severity, code, message, path: path.join(".") }));
}
console.log(JSON.stringify({ messages: document?.allMessages().all().map((one) => one.name()) ?? null }));
