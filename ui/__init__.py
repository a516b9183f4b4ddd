"""The Streamlit app. It reads memory and nothing else."""
