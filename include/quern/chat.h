/* Conversations by a model's chat template, and calls of tools. Included by quern.h. */
#ifndef QUERN_CHAT_H
#define QUERN_CHAT_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether the model has a chat template. */
QUERN_API int quern_model_has_chat(const quern_model *model);
/* The prompt of a conversation by the model's chat template: *ids holds *n of them; free with quern_ids_free.
 * conversation: a JSON object {"messages": [{"role", "content"}, …], "add_generation_prompt": true, "tools": …}, or the
 * array of messages alone; members that are not there get their usual values, others are the template's own variables.
 * Text of messages never becomes a control token. Messages are OpenAI's, and become what the template can write:
 * arguments of calls as JSON text or objects, content as text or parts of text, the role developer; where the template
 * knows no tools, instructions about them join the system message. "continue_final_message": true goes on with the last
 * message. QUERN_BAD_ARGUMENT for what the template refuses. */
QUERN_API quern_status quern_chat_tokens(const quern_model *model, const char *conversation, size_t length,
                                         int32_t **ids, size_t *n);
/* The same as text, for reading. Free with quern_string_free. */
QUERN_API quern_status quern_chat_text(const quern_model *model, const char *conversation, size_t length, char **text);
QUERN_API void quern_ids_free(int32_t *ids);

/* Tools that a model may call, in the spelling of its family, which its chat template tells. Immutable; keeps the model
 * alive. */
typedef struct quern_tools quern_tools;
/* tools: a JSON list of {"type": "function", "function": {"name", "description", "parameters"}}, at most 128, with
 * names of at most 64 letters, digits, _, - and .; parameters is a JSON schema of at most 256 KiB. choice: "auto",
 * "none", "required", or "=NAME" for that tool; NULL: auto. parallel: 0: at most one call. QUERN_BAD_ARGUMENT names
 * what is wrong. */
QUERN_API quern_status quern_tools_new(const quern_model *model, const char *tools, size_t length, const char *choice,
                                       int parallel, quern_tools **made);
QUERN_API void quern_tools_free(quern_tools *tools);
/* The name of the spelling: hermes, llama3, mistral, …; generic where the template tells nothing. */
QUERN_API const char *quern_tools_format(const quern_tools *tools);
/* What the text must match (quern_generation_options.grammar) for calls that are required; NULL where they are not. */
QUERN_API const char *quern_tools_grammar(const quern_tools *tools);
/* Special tokens that calls are written with, for quern_generation_options.shown_ids; *n of them. */
QUERN_API const int32_t *quern_tools_shown(const quern_tools *tools, size_t *n);

/* Reads a generated text as it comes. It belongs to one caller at a time. */
typedef struct quern_tool_reader quern_tool_reader;
typedef enum quern_tool_piece_kind {
  QUERN_PIECE_TEXT = 0,      /* more text for the reader */
  QUERN_PIECE_CALL = 1,      /* a call begins: `text` is the tool's name */
  QUERN_PIECE_ARGUMENTS = 2, /* more of its arguments, JSON text */
  QUERN_PIECE_END = 3        /* it is whole */
} quern_tool_piece_kind;
typedef struct quern_tool_piece {
  quern_tool_piece_kind kind;
  size_t call;      /* its number, from 0 */
  const char *text; /* `length` bytes and a terminator, valid until the reader's next call */
  size_t length;
} quern_tool_piece;
QUERN_API quern_status quern_tool_reader_new(const quern_tools *tools, quern_tool_reader **reader);
QUERN_API void quern_tool_reader_free(quern_tool_reader *reader);
/* More text, and what came of it: *n of *pieces. last: no more comes, and what was held back does now. */
QUERN_API quern_status quern_tool_reader_push(quern_tool_reader *reader, const char *text, size_t length, int last,
                                              const quern_tool_piece **pieces, size_t *n);

#ifdef __cplusplus
}
#endif
#endif
