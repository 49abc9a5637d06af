/* The subcommands.  argv[0] is the subcommand's name; each returns the exit code. */
#ifndef APPS_COMMANDS_H
#define APPS_COMMANDS_H

int train_main(int argc, char **argv);
int classifier_main(int argc, char **argv);
int sample_main(int argc, char **argv);
int evaluate_main(int argc, char **argv);
int graph_main(int argc, char **argv);
int profile_main(int argc, char **argv);
int import_main(int argc, char **argv);
int export_main(int argc, char **argv);
int neighbours_main(int argc, char **argv);
int parzen_main(int argc, char **argv);
int swissroll_main(int argc, char **argv);
int heartbeat_main(int argc, char **argv);
int pixels_main(int argc, char **argv);
int inpaint_main(int argc, char **argv);
int denoise_main(int argc, char **argv);
int progress_main(int argc, char **argv);
int fork_main(int argc, char **argv);
int interpolate_main(int argc, char **argv);
int compress_main(int argc, char **argv);
int decompress_main(int argc, char **argv);
int figures_main(int argc, char **argv);
int info_main(int argc, char **argv);
int losses_main(int argc, char **argv);
int gradcheck_main(int argc, char **argv);
int flow_main(int argc, char **argv);

#endif
