//! The core bench's peer: one stream between two sockets of one smoltcp interface, over its loopback device, both ends
//! in this thread. What is sent is copied from a buffer of the program, what arrives is read in place.
//!
//! Usage: smoltcp-peer MTU CHECKSUM WINDOW MILLISECONDS
//!   MTU           largest IP packet, bytes
//!   CHECKSUM      on or off: whether the stack writes and verifies checksums
//!   WINDOW        bytes of each socket's buffers
//!   MILLISECONDS  how long to measure, after a tenth of that to warm up
//! Prints one JSON object on one line.

use std::env;
use std::process::ExitCode;
use std::time::Instant as Wall;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Loopback, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

const PORT: u16 = 1234;
const CLIENT_PORT: u16 = 40000;
const CHUNK: usize = 65536;

/// The loopback device with an MTU and checksums of our choice.
struct Wire {
    loopback: Loopback,
    mtu: usize,
    checksums: bool,
}

impl Device for Wire {
    type RxToken<'a> = <Loopback as Device>::RxToken<'a>;
    type TxToken<'a> = <Loopback as Device>::TxToken<'a>;

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = self.loopback.capabilities();
        capabilities.max_transmission_unit = self.mtu;
        if self.checksums {
            capabilities.checksum = ChecksumCapabilities::default();
        }
        capabilities
    }

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.loopback.receive(now)
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.loopback.transmit(now)
    }
}

fn number(text: Option<String>, name: &str, least: usize, most: usize) -> Result<usize, String> {
    let text = text.ok_or(format!("{name} is missing; usage: smoltcp-peer MTU CHECKSUM WINDOW MILLISECONDS"))?;
    match text.parse::<usize>() {
        Ok(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(format!("{name} is {text}; it must be a number from {least} to {most}")),
    }
}

fn run() -> Result<String, String> {
    let mut args = env::args().skip(1);
    let mtu = number(args.next(), "MTU", 576, 65535)?;
    let checksums = match args.next().as_deref() {
        Some("on") => true,
        Some("off") => false,
        other => return Err(format!("CHECKSUM is {other:?}; it must be on or off")),
    };
    let window = number(args.next(), "WINDOW", 65536, 1 << 26)?;
    let milliseconds = number(args.next(), "MILLISECONDS", 1, 60000)?;

    let mut device = Wire { loopback: Loopback::new(Medium::Ip), mtu, checksums };
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut device, Instant::now());
    interface.update_ip_addrs(|addresses| {
        // An interface that was just made has room for one address.
        let _ = addresses.push(IpCidr::new(IpAddress::v4(127, 0, 0, 1), 8));
    });
    let socket = || tcp::Socket::new(tcp::SocketBuffer::new(vec![0; window]), tcp::SocketBuffer::new(vec![0; window]));
    let mut sockets = SocketSet::new(Vec::new());
    let server = sockets.add(socket());
    let client = sockets.add(socket());
    sockets.get_mut::<tcp::Socket>(server).listen(PORT).map_err(|error| format!("listen: {error:?}"))?;
    sockets
        .get_mut::<tcp::Socket>(client)
        .connect(interface.context(), (IpAddress::v4(127, 0, 0, 1), PORT), CLIENT_PORT)
        .map_err(|error| format!("connect: {error:?}"))?;
    for handle in [server, client] {
        let socket = sockets.get_mut::<tcp::Socket>(handle);
        socket.set_ack_delay(Some(Duration::from_millis(10)));
    }

    let chunk: Vec<u8> = (0..CHUNK).map(|index| (index % 251) as u8).collect();
    let warm = Wall::now();
    let mut start: Option<Wall> = None;
    let mut received: u64 = 0;
    loop {
        interface.poll(Instant::now(), &mut device, &mut sockets);
        let reader = sockets.get_mut::<tcp::Socket>(server);
        while reader.can_recv() {
            let count = reader.recv(|bytes| (bytes.len(), bytes.len())).map_err(|error| format!("recv: {error:?}"))?;
            if count == 0 {
                break;
            }
            received += count as u64;
        }
        let writer = sockets.get_mut::<tcp::Socket>(client);
        while writer.can_send() {
            if writer.send_slice(&chunk).map_err(|error| format!("send: {error:?}"))? == 0 {
                break;
            }
        }
        match start {
            None if warm.elapsed().as_millis() as usize * 10 >= milliseconds => {
                start = Some(Wall::now());
                received = 0;
            }
            Some(from) if from.elapsed().as_millis() as usize >= milliseconds => {
                let seconds = from.elapsed().as_secs_f64();
                if received == 0 {
                    return Err("nothing arrived".to_string());
                }
                return Ok(format!("{{\"bytes\":{received},\"seconds\":{seconds}}}"));
            }
            _ => {}
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("smoltcp-peer: {message}");
            ExitCode::FAILURE
        }
    }
}
