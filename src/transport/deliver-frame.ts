// A frame that a byte link has received, to whom the link belongs. A frame that cannot be read ends the link, and nothing else.
import { ProtocolError } from '../errors.js';
import { unpackBatch } from '../rpc/batch-codec.js';
import type { Link, LinkEvents } from '../rpc/link.js';

export function deliverFrame(frame: Buffer, link: Pick<Link, 'label' | 'close'>, events: LinkEvents | undefined): void {
  let batch;
  try {
    batch = unpackBatch(frame);
  } catch (error) {
    link.close(error instanceof ProtocolError ? error : new ProtocolError(`${link.label} sent a frame that cannot be read`, { cause: error }));
    return;
  }
  events?.batch(batch.entries, batch.attachments);
}
