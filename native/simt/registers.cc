// setmaxnreg: warps hand registers to one another through a pool of their block. Who asks for more waits until they are there.
#include "native/base/check.h"
#include "native/simt/instructions.h"
#include "native/simt/machine.h"

namespace kvasir::simt {

void set_registers(int count, bool takes, int from) {
  Machine& machine = Machine::now();
  Thread& thread = machine.thread();
  if (thread.id % 32 != 0) return;  // once for a warp
  int& own = machine.registers_of_warp[thread.id / 32];
  if (from) own = from;
  if (takes ? count < own : count > own)
    machine.report.add("registers", text("setmaxnreg.", takes ? "inc" : "dec", " from ", own, " to ", count));
  while (machine.registers_free < count - own) {
    thread.waits = true;
    machine.register_waits.push_back(&thread);
    machine.wait();
  }
  machine.registers_free -= count - own;
  own = count;
  for (Thread* other : machine.register_waits) other->waits = false;
  machine.register_waits.clear();
}

}  // namespace kvasir::simt
