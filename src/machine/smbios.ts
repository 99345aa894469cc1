const headerBytes = 27;
const wakeUpByPowerSwitch = 6;

/**
 * SMBIOS type 1 (system information; DMTF DSP0134, section 7.2) with a serial number of our own, for `-smbios file=`. A
 * file, because the serial number may hold a secret address.
 *
 * `uuid` becomes the product UUID, from which systemd makes the machine-id of a virtual machine.
 */
export function makeSmbiosSystemTable(serial: string, uuid: string): Buffer {
  // The maker by which guests recognise the hypervisor.
  const strings = ['QEMU', 'Virtual Machine', serial];
  const [manufacturer, product, serialNumber] = [1, 2, 3];
  const none = 0;
  const header = Buffer.concat([
    Buffer.from([1, headerBytes, 0x00, 0x01, manufacturer, product, none, serialNumber]),
    encodeUuid(uuid),
    Buffer.from([wakeUpByPowerSwitch, none, none]),
  ]);
  const text = strings.map((string) => `${string}\0`).join('');
  return Buffer.concat([header, Buffer.from(`${text}\0`)]);
}

/** The first three fields of a UUID are little-endian in SMBIOS. */
function encodeUuid(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
