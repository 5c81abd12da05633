import type { Link, LinkPort, OutgoingPacket } from '../../host/link/link.js';

/** A link that can lose every packet both ways without a word, as a radio path that dies. */
export class CuttableLink implements Link {
  /** Packets lost because the link was cut. */
  lost = 0;
  #cut = false;

  constructor(private readonly inner: Link) {}

  get name(): string {
    return this.inner.name;
  }
  get mtu(): number {
    return this.inner.mtu;
  }
  get vnetHeader(): boolean {
    return this.inner.vnetHeader;
  }
  get checksumOffload(): boolean {
    return this.inner.checksumOffload;
  }
  get segmentationOffload(): boolean {
    return this.inner.segmentationOffload;
  }

  cut(): void {
    this.#cut = true;
  }

  attach(port: LinkPort): void {
    this.inner.attach({
      slots: port.slots,
      now: () => port.now(),
      wake: () => port.wake(),
      fail: (error) => port.fail(error),
      memoryBase: (base) => port.memoryBase(base),
      ingest: (slot, length) => {
        if (this.#cut) this.lost++;
        else port.ingest(slot, length);
      },
    });
  }

  send(packet: OutgoingPacket): boolean {
    if (!this.#cut) return this.inner.send(packet);
    this.lost++;
    return true;
  }

  receive(budget: number): number {
    return this.inner.receive?.(budget) ?? 0;
  }

  close(): void {
    this.inner.close();
  }
}
