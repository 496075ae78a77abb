// A value as YAML gave it, read as what it is. Its shape has been checked along schema.ts; nothing at all and null are the same.

export class Written {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value ?? undefined;
  }

  get missing(): boolean {
    return this.#value === undefined;
  }
  get isText(): boolean {
    return typeof this.#value === 'string';
  }
  get isNumber(): boolean {
    return typeof this.#value === 'number';
  }
  get isList(): boolean {
    return Array.isArray(this.#value);
  }

  /** A field; missing where this is no map. */
  get(name: string): Written {
    const value = this.#value;
    return new Written(typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined);
  }

  text(): string | undefined {
    return typeof this.#value === 'string' ? this.#value : undefined;
  }

  number(): number | undefined {
    return typeof this.#value === 'number' ? this.#value : undefined;
  }

  flag(): boolean | undefined {
    return typeof this.#value === 'boolean' ? this.#value : undefined;
  }

  /** A text or a number, such as a duration. */
  amount(): string | number | undefined {
    return this.text() ?? this.number();
  }

  /** One of the words that the schema allows. */
  word<Word extends string>(): Word | undefined {
    return this.text() as Word | undefined;
  }

  /** Anything as a text: nothing is empty, maps and lists are JSON. */
  scalar(): string {
    const value = this.#value;
    if (value === undefined) return '';
    return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
  }

  /** The members of a list; what is no list is one. */
  list(): Written[] {
    if (this.#value === undefined) return [];
    return Array.isArray(this.#value) ? this.#value.map((one) => new Written(one)) : [this];
  }

  texts(): string[] {
    return this.list().map((one) => one.scalar());
  }

  entries(): [string, Written][] {
    const value = this.#value;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
    return Object.entries(value).map(([key, one]) => [key, new Written(one)]);
  }

  /** A map of scalars. */
  record(): Record<string, string> {
    return Object.fromEntries(this.entries().map(([key, one]) => [key, one.scalar()]));
  }
}
