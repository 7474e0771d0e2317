import type { JSX } from "preact";
import {
  choicesOf,
  type FieldSchema,
  type FieldText,
  kindOf,
  resolve,
  typeWords,
} from "./field_values.ts";

interface FieldProps {
  readonly id: string;
  readonly schema: FieldSchema;
  readonly text: FieldText;
  readonly isRequired: boolean;
  readonly isBad: boolean;
  readonly describedBy: string;
  readonly onText: (text: FieldText) => void;
}

function Choice(
  { id, schema, text, isRequired, isBad, describedBy, onText }: FieldProps,
): JSX.Element {
  const choices = schema.type === "boolean" ? [true, false] : choicesOf(schema)!;
  const texts = choices.map((one) => JSON.stringify(one));
  return (
    <select
      id={id}
      class="select input-wide"
      value={text}
      aria-invalid={isBad}
      aria-describedby={describedBy}
      onChange={(event) => onText(event.currentTarget.value)}
    >
      {(!isRequired || !texts.includes(text)) && (
        <option value="">{isRequired ? "Choose…" : "Not given"}</option>
      )}
      {texts.map((one, index) => <option key={one} value={one}>{String(choices[index])}</option>)}
    </select>
  );
}

function Field(props: FieldProps): JSX.Element {
  const { id, schema, text, isBad, describedBy, onText } = props;
  const kind = kindOf(schema);
  if (kind === "choice" || kind === "boolean") return <Choice {...props} />;
  const placeholder = schema.default === undefined
    ? ""
    : `${JSON.stringify(schema.default)} if not given`;
  if (kind === "json" || kind === "list") {
    return (
      <textarea
        id={id}
        class="input input-wide"
        rows={Math.min(10, Math.max(2, text.split("\n").length))}
        spellcheck={false}
        value={text}
        placeholder={placeholder}
        aria-invalid={isBad}
        aria-describedby={describedBy}
        onInput={(event) => onText(event.currentTarget.value)}
      />
    );
  }
  return (
    <input
      id={id}
      class="input input-wide"
      type="text"
      inputMode={kind === "text" ? undefined : "decimal"}
      autocomplete="off"
      spellcheck={false}
      value={text}
      placeholder={placeholder}
      aria-invalid={isBad}
      aria-describedby={describedBy}
      onInput={(event) => onText(event.currentTarget.value)}
    />
  );
}

/** The fields of an object's schema, each with its type, its help and its problem. */
export function SchemaFields({ schema, texts, problems, onText }: {
  readonly schema: FieldSchema;
  readonly texts: Readonly<Record<string, FieldText>>;
  readonly problems: Readonly<Record<string, string>>;
  readonly onText: (name: string, text: FieldText) => void;
}): JSX.Element {
  return (
    <>
      {Object.entries(schema.properties ?? {}).map(([name, given]) => {
        const field = resolve(given, schema);
        const isRequired = schema.required?.includes(name) === true;
        const problem = problems[name];
        return (
          <div class="field" key={name}>
            <label for={`field-${name}`}>
              <code>{name}</code>
              <span class="hint">
                {[typeWords(field), isRequired ? "" : "optional"].filter((one) => one !== "")
                  .join(", ")}
              </span>
            </label>
            <Field
              id={`field-${name}`}
              schema={field}
              text={texts[name] ?? ""}
              isRequired={isRequired}
              isBad={problem !== undefined}
              describedBy={`about-${name}`}
              onText={(text) => onText(name, text)}
            />
            <p id={`about-${name}`} class={problem === undefined ? "hint" : "bad-text"}>
              {problem ?? field.description}
            </p>
          </div>
        );
      })}
    </>
  );
}
