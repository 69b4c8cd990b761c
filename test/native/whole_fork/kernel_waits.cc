// Threads that wait in the kernel: for descriptors, signals and time.
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "../check.h"
#include "resident.h"

namespace whole_fork {

namespace {

struct channel {
  int reader;
  int writer;
};

channel new_pipe() {
  int ends[2];
  EXPECT(pipe2(ends, O_CLOEXEC) == 0);
  return {ends[0], ends[1]};
}

channel new_socketpair(int type) {
  int ends[2];
  EXPECT(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
  return {ends[0], ends[1]};
}

channel new_eventfd() {
  const int fd = eventfd(0, EFD_CLOEXEC);
  return {fd, fd};
}

// Eight bytes, as an eventfd takes them. Another process's would differ.
uint64_t greeting() { return static_cast<uint64_t>(getpid()); }

void send(channel to) {
  const uint64_t text = greeting();
  EXPECT(write(to.writer, &text, sizeof text) == sizeof text);
}

void receive(channel from) {
  uint64_t text = 0;
  ssize_t size = 0;
  do size = read(from.reader, &text, sizeof text);
  while (size < 0 && errno == EINTR);
  EXPECT(size == sizeof text);
  EXPECT(text == greeting());
}

void wait_with(population& all, const char* name, channel shared, const std::function<void(int)>& await) {
  all.push_back({name,
                 [shared, await](resident& self) {
                   self.arrive();
                   await(shared.reader);
                   receive(shared);
                 },
                 [shared](resident&) { send(shared); }});
}

void do_nothing(int) {}

void wait_by_poll(int fd) {
  pollfd wanted{fd, POLLIN, 0};
  while (poll(&wanted, 1, -1) != 1) EXPECT(errno == EINTR);
  EXPECT(wanted.revents == POLLIN);
}

void wait_by_select(int fd) {
  fd_set wanted;
  do {
    FD_ZERO(&wanted);
    FD_SET(fd, &wanted);
  } while (select(fd + 1, &wanted, nullptr, nullptr, nullptr) < 0 && errno == EINTR);
  EXPECT(FD_ISSET(fd, &wanted));
}

std::function<void(int)> wait_by_epoll(int fd, uint32_t flags) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event noted{};
  noted.events = EPOLLIN | flags;
  noted.data.u64 = 0x123456789abcdef0;
  EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &noted) == 0);
  return [epoll](int) {
    epoll_event event{};
    while (epoll_wait(epoll, &event, 1, -1) != 1) EXPECT(errno == EINTR);
    EXPECT((event.events & EPOLLIN) != 0);
    EXPECT(event.data.u64 == 0x123456789abcdef0);
  };
}

void wait_for_timer(population& all) {
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  const itimerspec late{{0, 0}, {3600, 0}};
  timerfd_settime(timer, 0, &late, nullptr);
  all.push_back({"timerfd",
                 [timer](resident& self) {
                   self.arrive();
                   uint64_t ticks = 0;
                   while (read(timer, &ticks, sizeof ticks) < 0) EXPECT(errno == EINTR);
                   EXPECT(ticks == 1);
                 },
                 [timer](resident&) {
                   const itimerspec soon{{0, 0}, {0, 1}};
                   timerfd_settime(timer, 0, &soon, nullptr);
                 }});
}

// A signal that is blocked in every thread, and whose value tells who sent it.
void send_signal(resident& to, int signal) {
  sigval value{};
  value.sival_int = getpid();
  EXPECT(pthread_sigqueue(to.thread(), signal, value) == 0);
}

sigset_t only(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

void wait_for_signal(population& all, const char* name, int signal, bool timed) {
  const sigset_t wanted = only(signal);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  all.push_back({name,
                 [wanted, timed](resident& self) {
                   const timespec hour{3600, 0};
                   siginfo_t info{};
                   self.arrive();
                   while ((timed ? sigtimedwait(&wanted, &info, &hour) : sigwaitinfo(&wanted, &info)) < 0) {
                     EXPECT(errno == EINTR);
                   }
                   EXPECT(info.si_value.sival_int == getpid());
                 },
                 [signal](resident& self) { send_signal(self, signal); }});
}

void wait_for_signalfd(population& all, int signal) {
  const sigset_t wanted = only(signal);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  const int fd = signalfd(-1, &wanted, SFD_CLOEXEC);
  all.push_back({"signalfd",
                 [fd](resident& self) {
                   self.arrive();
                   signalfd_siginfo info{};
                   while (read(fd, &info, sizeof info) < 0) EXPECT(errno == EINTR);
                   EXPECT(info.ssi_int == getpid());
                 },
                 [signal](resident& self) { send_signal(self, signal); }});
}

// A sleeper looks whether it was woken each time that a signal ends its sleep, and may miss one in between.
void wait_for_time(population& all) {
  auto* const left = new std::atomic<bool>(false);
  all.push_back({"nanosleep",
                 [left](resident& self) {
                   self.arrive();
                   const timespec hour{3600, 0};
                   while (!self.is_woken()) EXPECT(nanosleep(&hour, nullptr) == -1 && errno == EINTR);
                   *left = true;
                 },
                 [left](resident& self) {
                   struct sigaction action {};
                   action.sa_handler = do_nothing;
                   sigaction(SIGUSR1, &action, nullptr);
                   for (int i = 0; i < 10'000 && !*left; ++i) {
                     pthread_kill(self.thread(), SIGUSR1);
                     usleep(1000);
                   }
                 }});
}

}  // namespace

void add_kernel_waits(population& all) {
  wait_with(all, "read of a pipe", new_pipe(), do_nothing);
  wait_with(all, "read of a socketpair", new_socketpair(SOCK_STREAM), do_nothing);
  wait_with(all, "read of a socketpair of datagrams", new_socketpair(SOCK_DGRAM), do_nothing);
  wait_with(all, "read of an eventfd", new_eventfd(), do_nothing);
  wait_with(all, "poll", new_pipe(), wait_by_poll);
  wait_with(all, "select", new_pipe(), wait_by_select);
  const channel pipe = new_pipe();
  wait_with(all, "epoll of a pipe", pipe, wait_by_epoll(pipe.reader, EPOLLET));
  const channel event = new_eventfd();
  wait_with(all, "epoll of an eventfd", event, wait_by_epoll(event.reader, 0));
  const channel pair = new_socketpair(SOCK_STREAM);
  wait_with(all, "epoll of a socketpair", pair, wait_by_epoll(pair.reader, EPOLLONESHOT));
  wait_for_timer(all);
  wait_for_signal(all, "sigwaitinfo", SIGRTMIN + 4, false);
  wait_for_signal(all, "sigtimedwait", SIGRTMIN + 5, true);
  wait_for_signalfd(all, SIGRTMIN + 6);
  wait_for_time(all);
}

}  // namespace whole_fork
