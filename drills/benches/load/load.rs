//! Clients that cost little: requests as bytes made beforehand, a kept connection each, one thread for all.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::median;

/// One kept connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            stream,
            buffer: vec![0; 16 * 1024],
        })
    }

    /// Sends a request and reads its answer whole; gives the status.
    pub(crate) fn round(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request)?;
        let mut have = 0;
        loop {
            let got = self.stream.read(&mut self.buffer[have..])?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            have += got;
            if let Some((status, whole)) = head(&self.buffer[..have])
                && have >= whole
            {
                return Ok(status);
            }
        }
    }
}

/// Status and whole length of an answer, once its head is there.
fn head(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Some((status, end + length.unwrap_or(0)))
}

/// How a load went.
pub(crate) struct Load {
    wall: Duration,
    each_us: Vec<f64>,
}

impl Load {
    pub(crate) fn count(&self) -> f64 {
        self.each_us.len() as f64
    }

    pub(crate) fn rate(&self) -> f64 {
        self.count() / self.wall.as_secs_f64()
    }

    pub(crate) fn p50_us(&self) -> f64 {
        median(self.each_us.clone())
    }
}

/// Plays each lane's requests in order, all lanes at once. Anything but 200 ends the bench: it would be another figure.
///
/// One thread drives them all, as `wrk -t1` does: a thread each would cost the server a wake-up for every answer.
pub(crate) async fn run(port: u16, lanes: Vec<Vec<Vec<u8>>>) -> Load {
    let at_once = move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_io().build().unwrap();
        runtime.block_on(at_once(port, lanes))
    };
    tokio::task::spawn_blocking(at_once).await.unwrap()
}

async fn at_once(port: u16, lanes: Vec<Vec<Vec<u8>>>) -> Load {
    let mut open = Vec::new();
    for _ in &lanes {
        open.push(Lane::open(port).await.unwrap());
    }
    let begun = Instant::now();
    let mut playing = tokio::task::JoinSet::new();
    for (lane, requests) in open.into_iter().zip(lanes) {
        playing.spawn(lane.play(requests));
    }
    let each_us = playing.join_all().await.concat();
    Load {
        wall: begun.elapsed(),
        each_us,
    }
}

/// A kept connection of many that one thread drives.
struct Lane {
    stream: tokio::net::TcpStream,
    buffer: Vec<u8>,
}

impl Lane {
    async fn open(port: u16) -> io::Result<Self> {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 16 * 1024],
        })
    }

    async fn play(mut self, requests: Vec<Vec<u8>>) -> Vec<f64> {
        let mut took = Vec::with_capacity(requests.len());
        for request in requests {
            let begun = Instant::now();
            let (status, whole) = self.round(&request).await.unwrap();
            took.push(begun.elapsed().as_secs_f64() * 1e6);
            let said = || String::from_utf8_lossy(&self.buffer[..whole]);
            assert_eq!(status, 200, "{}", said());
        }
        took
    }

    async fn round(&mut self, request: &[u8]) -> io::Result<(u16, usize)> {
        self.stream.write_all(request).await?;
        let mut have = 0;
        loop {
            let got = self.stream.read(&mut self.buffer[have..]).await?;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            have += got;
            if let Some((status, whole)) = head(&self.buffer[..have])
                && have >= whole
            {
                return Ok((status, whole));
            }
        }
    }
}
