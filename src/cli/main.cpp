#include "cli/command.h"

int main(int argc, char** argv) {
  using namespace plinth::cli;
  return run_command_line(argc, argv, [](Command& root, Context& context) {
    add_doctor(root, context);
    add_model(root, context);
    add_adapter(root, context);
    add_refine(root, context);
    add_data(root, context);
    add_pretrain(root, context);
    add_tune(root, context);
    add_eval(root, context);
    add_publish(root, context);
    add_release(root, context);
    add_tenant(root, context);
    add_price(root, context);
    add_key(root, context);
    add_audit(root, context);
    add_serve(root, context);
    add_chat(root, context);
    add_tokenize(root, context);
    add_logits(root, context);
    add_bench(root, context);
  });
}
