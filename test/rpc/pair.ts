// Two codecs joined as a link would join them: payloads pass through structured clone (objects) or a copied frame (bytes).
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { packBatch, unpackBatch } from '../../src/rpc/batch-codec.js';
import { ASCII, Tag, ValueCodec, type CodecOptions, type EncodeOptions, type Encoded } from '../../src/rpc/codec.js';

export const LEVELS = ['objects', 'bytes'] as const;

export interface Wire { tag: number; payload: unknown; attachments: unknown[] | undefined }

export function pair(level: 'objects' | 'bytes', options: Partial<CodecOptions> = {}) {
  const sender = new ValueCodec({ level, maxFrame: 16 * 1024 * 1024, ...options });
  const receiver = new ValueCodec({ level, maxFrame: 16 * 1024 * 1024, ...options });
  const { port1, port2 } = new MessageChannel();
  port1.unref();
  port2.unref();

  function carry({ tag, payload, attachments, transfer }: Encoded): Wire {
    if (level === 'objects') {
      port1.postMessage({ tag, payload, attachments }, [...(transfer ?? [])]);
      return receiveMessageOnPort(port2)!.message as Wire;
    }
    const chunks = packBatch([tag, payload], (attachments ?? []) as Uint8Array[]);
    const { entries, attachments: arrived } = unpackBatch(Buffer.concat(chunks));
    return { tag: entries[0] as number, payload: entries[1], attachments: arrived };
  }
  const read = ({ tag, payload, attachments }: Wire): unknown => receiver.decode(tag, payload, attachments);
  const send = (value: unknown, encodeOptions?: EncodeOptions): unknown => read(carry(sender.encode(value, encodeOptions)));
  return { sender, receiver, carry, read, send, tagOf: (value: unknown) => sender.encode(value).tag };
}

export { ASCII, Tag };
