if __name__ == "__main__":
    from runner.safe_path import leave_out_the_current_folder

    leave_out_the_current_folder()
    from runner.commands.dispatch import main

    main()
