// Plain English: one idea a sentence, and its subject first.
//
// A sentence has at most `words` words; a clause behind a colon or semicolon counts as a sentence of its own. Inline code
// is one word. No sentence begins with one of OPENERS, unless it asks. Tables, headings and code blocks are not read.
"use strict";

const { splitAST, SentenceSplitterSyntax } = require("sentence-splitter");

const OPENERS = /^(What|Whatever|Whoever|Who|Those|Of one|Of what)\b/;

function textOf(node) {
    if (node.type === "Code") return "code";
    if (node.children) return node.children.map(textOf).join("");
    return node.value ?? node.raw ?? "";
}

module.exports = function (context, options = {}) {
    const { Syntax, RuleError, report } = context;
    const most = options.words ?? 25;
    return {
        [Syntax.Paragraph](node) {
            if (/^ *>>> /m.test(context.getSource(node))) return;
            for (const sentence of splitAST(node).children) {
                if (sentence.type !== SentenceSplitterSyntax.Sentence) continue;
                const text = textOf(sentence).replace(/\s+/g, " ").trim();
                if (OPENERS.test(text) && !text.endsWith("?")) {
                    report(sentence, new RuleError(`begins with "${text.match(OPENERS)[0]}": put the subject first`));
                }
                // A list of code alone is a table in disguise, however long.
                for (const part of text.replace(/\bcode(, code)+\b/g, "code").split(/[:;] /)) {
                    const words = part.split(" ").filter((word) => /[\p{L}\p{N}]/u.test(word)).length;
                    if (words > most) {
                        report(sentence, new RuleError(`${words} words, at most ${most}: "${part.slice(0, 60)}…"`));
                    }
                }
            }
        },
    };
};
